"""The only access to MuPDF: open documents, turn pages upright, draw pages, explain errors."""
