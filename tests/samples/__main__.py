"""`python -m tests.samples DIR` writes the demo's PDFs into DIR."""

import sys
from pathlib import Path

from .demo import write_demo

if len(sys.argv) != 2:
    sys.exit("usage: python -m tests.samples DIR")
for path in write_demo(Path(sys.argv[1])):
    print(path)
