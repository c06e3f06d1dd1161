"""Processors, which make more files of the pages that an engine has read. This package has what a processor of your own
needs; see docs/processors.md."""

from pdfbatch.processors.base import NoOptions, Processor, ReadDocument, UnfitDocument

__all__ = ["NoOptions", "Processor", "ReadDocument", "UnfitDocument"]
