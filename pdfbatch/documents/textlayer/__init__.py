"""The text layer of a page: its lines, their letters, whether it can be trusted."""
