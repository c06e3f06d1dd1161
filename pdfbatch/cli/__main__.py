"""`python -m pdfbatch.cli`."""

from pdfbatch.cli import main

main()
