"""What a model writes of a page (text with LaTeX in it, tables in HTML), turned into the parts of the page model."""
