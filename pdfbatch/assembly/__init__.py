"""Decisions that need all pages of a document in view. Pure; no element is removed, see `assemble`."""

from pdfbatch.assembly.assemble import assemble

__all__ = ["assemble"]
