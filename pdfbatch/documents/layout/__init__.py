"""Find the layout of a page: regions in reading order, tables, what belongs to the body."""
