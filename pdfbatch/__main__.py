"""`python -m pdfbatch`: the command."""

from pdfbatch.cli import main

main()
