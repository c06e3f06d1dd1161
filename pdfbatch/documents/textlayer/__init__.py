"""Read a page's text layer: its lines, their letters, and whether it can be trusted."""
