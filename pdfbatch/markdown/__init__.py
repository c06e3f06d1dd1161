"""Write elements as CommonMark with GFM's tables, strikethrough and task items; the only Markdown writer. Pure."""

from pdfbatch.markdown.document import Anchor, anchors, document_markdown

__all__ = ["Anchor", "anchors", "document_markdown"]
