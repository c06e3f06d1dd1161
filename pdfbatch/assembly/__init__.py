"""What is decided about a document when all of its pages are in view. Pure; every element stays, see `assemble`."""

from pdfbatch.assembly.assemble import assemble

__all__ = ["assemble"]
