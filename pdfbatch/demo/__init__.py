"""Generate reproducible PDFs: those that `pdfbatch demo` converts, and the tools that draw them."""
