"""Flags that this package sets on elements."""

IN_FIGURE = "in_figure"
"""Text in a figure."""
MATH = "math"
"""A paragraph with much mathematics, whose text is flattened."""
UNSETTLED = "unsettled"
"""A table whose rows and columns are a guess: neither rulings nor the positions of its lines determine them."""
