"""The commands, thin: parse, build one value, call one function, show.

Results go to stdout, everything else to stderr. Heavy modules are imported inside the commands that need them, so
that `pdfbatch status` starts fast.
"""

from pdfbatch.cli.start import main

__all__ = ["main"]
