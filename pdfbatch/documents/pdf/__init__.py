"""MuPDF: the one door to it, open documents, pages upright, pictures of pages, what its errors mean."""
