"""The endpoint of a model that speaks OpenAI's API: where it is, what it is asked, and what it cost. Never its key."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field

from pdfbatch.errors import UsageError
from pdfbatch.records.base import Record

KEY_VARIABLE = "PDFBATCH_ENDPOINT_KEY"
NO_TEXT = "[no text]"
"""What the default prompt asks for where a page has no text."""
DEFAULT_PROMPT = (
    "Transcribe this page as Markdown, in reading order. Write headings with #, lists with - or numbers, tables as "
    "HTML with rowspan and colspan where cells span, formulas as LaTeX between $ or $$, code in fences. Copy the text "
    "exactly as it is printed, in its language. Leave out page numbers and running headers and footers. Do not "
    f"describe pictures, do not explain, do not summarise. If there is no text on the page, answer {NO_TEXT}."
)
_FORM = "https://HOST/v1, or http://localhost:8000/v1 for a server on this computer or network."
_PRIVATE_NAMES = (".local", ".localhost", ".internal", ".lan", ".svc", ".svc.cluster.local")
_LOOKS_SECRET = re.compile(r"token|secret|key|password|passwd|pwd|sig(nature)?|auth|credential", re.IGNORECASE)
_PRICE = re.compile(r"(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)")


class EndpointPrice(Record):
    """Dollars per million tokens."""

    tokens_in: float = Field(ge=0)
    tokens_out: float = Field(ge=0)

    @classmethod
    def read(cls, text: str) -> EndpointPrice:
        """Parses `IN,OUT`, as in `0.25,2`.

        Raises:
            UsageError: it is not two numbers.
        """
        found = _PRICE.fullmatch(text.replace(" ", ""))
        if found is None:
            raise UsageError(
                f"{text!r} is not a price.", "Write dollars per million tokens, first read, then written: 0.25,2"
            )
        return cls(tokens_in=float(found[1]), tokens_out=float(found[2]))

    def dollars(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1_000_000


class EndpointOptions(Record):
    """A model behind an address, and how it is asked; part of the manifest."""

    url: str
    """As `checked_url` returns it: without a slash at the end."""
    model: str
    prompt: str = DEFAULT_PROMPT
    side: int = Field(default=1540, ge=256, le=4096)
    """Pixels of the longer side of a page's picture."""
    most_tokens: int = Field(default=8192, ge=16)
    """Tokens of one answer."""
    most_requests: int = Field(default=32, ge=1, le=512)
    """Requests at once, for each worker."""
    price: EndpointPrice | None = None
    """None: it costs nothing, or nobody counts it."""
    secret: str = ""
    """ARN of the secret with its key, for a fleet; never the key."""


class EndpointUse(Record):
    """What was asked of an endpoint, and what it answered, useless answers included."""

    answers: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    uncounted: int = 0
    """The part of `answers` whose tokens the endpoint did not count; they are estimated."""
    dollars: float = 0.0

    def plus(self, other: EndpointUse) -> EndpointUse:
        return EndpointUse(
            answers=self.answers + other.answers,
            tokens_in=self.tokens_in + other.tokens_in,
            tokens_out=self.tokens_out + other.tokens_out,
            uncounted=self.uncounted + other.uncounted,
            dollars=round(self.dollars + other.dollars, 9),
        )


def checked_url(text: str) -> str:
    """Checks the address of an endpoint, and returns it without a slash at its end, or `/chat/completions`.

    Pictures of pages and the key are sent there, so it must be https, unless the host is this computer or in a private
    network by its name or number.

    Raises:
        UsageError: it is no such address, or it has a secret in it; the error does not repeat that.
    """
    try:
        url = urlsplit(text.strip())
        has_user, host = "@" in url.netloc, url.hostname or ""
        url.port  # noqa: B018  # raises if it is no number
    except ValueError as error:
        raise UsageError(f"The address of the endpoint is not valid: {error}.", f"Give {_FORM}") from None
    if has_user:
        raise UsageError(
            "The address of the endpoint has a user name or password in it; addresses are stored and shown.",
            f"Leave it out, and set {KEY_VARIABLE} in the environment.",
        )
    if url.scheme not in ("http", "https") or not host:
        raise UsageError(f"{text!r} is not the address of an endpoint.", f"Give {_FORM}")
    if secret := next((name for name, _ in parse_qsl(url.query) if _LOOKS_SECRET.search(name)), ""):
        raise UsageError(
            f"The address of the endpoint has what looks like a secret ({secret}=…); addresses are stored and shown.",
            f"Leave it out, and set {KEY_VARIABLE} in the environment.",
        )
    if url.query or url.fragment:
        raise UsageError("The address of the endpoint has a query (?…) or a fragment (#…).", f"Give {_FORM}")
    if url.scheme == "http" and not _is_near(host):
        raise UsageError(
            f"http://{host} is not encrypted, and pages and the key would cross the internet.", f"Give https://{host}/…"
        )
    return f"{url.scheme}://{url.netloc}{url.path.rstrip('/').removesuffix('/chat/completions')}"


def _is_near(host: str) -> bool:
    """Whether a host is this computer or in a private network. A name without a dot is known only there."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.lower().endswith(_PRIVATE_NAMES)
    return address.is_private or address.is_loopback or address.is_link_local
