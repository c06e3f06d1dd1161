"""The body of a request for one picture, in the dialect that the endpoint understands. Pure."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, replace
from typing import Any

from pdfbatch.engines.refine import Kind
from pdfbatch.records import EndpointOptions

_ABOUT_LIMIT = re.compile(r"max_completion_tokens")
_ABOUT_TEMPERATURE = re.compile(r"temperature")


ELEMENT_PROMPTS: dict[Kind, str] = {
    "formula": "Transcribe the formula in this picture as LaTeX. Answer with the LaTeX alone.",
    "table": "Transcribe the table in this picture as HTML, with rowspan and colspan. Answer with the HTML alone.",
    "text": "Transcribe the text in this picture, with formulas as LaTeX between $. Answer with the text alone.",
}


@dataclass(frozen=True)
class Dialect:
    """How the endpoint wants two parameters. Servers of open models take `max_tokens`; newer models of OpenAI's refuse
    it, and any temperature (their errors of status 400: "'max_tokens' is not supported with this model. Use
    'max_completion_tokens' instead", "'temperature' does not support 0.0 with this model")."""

    limit: str = "max_tokens"
    has_temperature: bool = True

    def corrected(self, error: str) -> Dialect | None:
        """Returns the dialect that the endpoint's error asks for; None if it is about something else."""
        if self.limit == "max_tokens" and _ABOUT_LIMIT.search(error):
            return replace(self, limit="max_completion_tokens")
        if self.has_temperature and _ABOUT_TEMPERATURE.search(error):
            return replace(self, has_temperature=False)
        return None


def body_of(options: EndpointOptions, dialect: Dialect, png: bytes, prompt: str, temperature: float) -> bytes:
    """Returns the JSON of a request: the picture, then the prompt, as the cards of such models show it."""
    url = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    content: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}}]
    if prompt:
        content.append({"type": "text", "text": prompt})
    request: dict[str, Any] = {
        "model": options.model,
        "messages": [{"role": "user", "content": content}],
        dialect.limit: options.most_tokens,
        "stream": False,
    }
    if dialect.has_temperature:
        request["temperature"] = temperature
    return json.dumps(request).encode()
