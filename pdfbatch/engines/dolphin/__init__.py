"""Dolphin: a page is laid out by the model, cut up, and its elements are read in batches pooled across documents."""

from pdfbatch.engines.dolphin.engine import AutoEngine, DolphinEngine

__all__ = ["AutoEngine", "DolphinEngine"]
