"""The flags that this room gives to elements."""

IN_FIGURE = "in_figure"
"""A text that stands in a figure."""
MATH = "math"
"""A paragraph with much mathematics in it, whose text is flat."""
UNSETTLED = "unsettled"
"""A table whose rows and columns are a guess: neither rulings nor the places of its lines settle them."""
