"""Recognise text in the picture of a page."""
