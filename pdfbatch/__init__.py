"""pdfbatch: PDFs in, Markdown out, on one machine or a fleet of Spot GPUs."""

__version__ = "0.2.0"
