"""The local web pages of `pdfbatch view`."""
