"""Models behind an address that speaks OpenAI's API: a page's picture goes out, Markdown comes back."""

from pdfbatch.engines.endpoint.engine import EndpointEngine

__all__ = ["EndpointEngine"]
