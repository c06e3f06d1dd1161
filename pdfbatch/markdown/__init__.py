"""The one Markdown writer: elements of pages to CommonMark with GFM's tables, strikethrough and task items. Pure."""

from pdfbatch.markdown.document import Anchor, anchors, document_markdown

__all__ = ["Anchor", "anchors", "document_markdown"]
