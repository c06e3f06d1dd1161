"""Text recognised from the picture of a page."""
