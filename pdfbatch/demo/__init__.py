"""PDFs of our own making, the same each time: what `pdfbatch demo` converts, and the tools that draw them."""
