"""`python -m bench [pages words turned loop long]`: what pdfbatch costs and keeps, measured side by side."""
