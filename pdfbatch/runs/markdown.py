"""The published Markdown: pages in order, each behind its anchor. Pure; what is written here is read back here."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from pdfbatch.paragraphs import joined
from pdfbatch.records import PageResult, Reason

_ANCHOR = re.compile(r"^<!-- page (?P<number>\d+)(?:: (?P<reason>[a-z_]+))? -->$", re.MULTILINE)
_LOOKALIKE = re.compile(r"^(\s*)<!-- page (?=\d)", re.MULTILINE)


def assemble(pages: Sequence[PageResult]) -> str:
    """The document, given its pages in order. An unread page keeps its place as an anchor with the reason, followed by
    what was read of it. A paragraph that goes on on the next page is whole, and stands where it begins."""
    parts = []
    for page, text in zip(pages, _texts(pages), strict=True):
        anchor = f"<!-- page {page.number}: {page.reason} -->" if page.reason else f"<!-- page {page.number} -->"
        # A page may quote an anchor; as text it must not count as one.
        text = _LOOKALIKE.sub(r"\1&lt;!-- page ", text)
        parts.append(f"{anchor}\n" + (f"\n{text}\n" if text else ""))
    return "\n".join(parts)


def _texts(pages: Sequence[PageResult]) -> list[str]:
    bodies: list[str] = []
    begun: int | None = None  # the page whose last paragraph is open
    for number, page in enumerate(pages):
        head, body = page.head.strip(), page.markdown.strip()
        if begun is not None and head:
            bodies[begun] = joined(bodies[begun], head)
            bodies.append(body)
            goes_on = begun if page.is_open and not body else number
        else:
            bodies.append("\n\n".join(filter(None, (head, body))))
            goes_on = number
        begun = goes_on if page.is_open and bodies[goes_on] else None
    return ["\n\n".join(filter(None, (body, page.tail.strip()))) for body, page in zip(bodies, pages, strict=True)]


class Anchor(NamedTuple):
    number: int
    reason: Reason | None


def anchors(markdown: str) -> list[Anchor]:
    """The anchors in the order they stand; whole numbers 1, 2, 3, … in a document of ours."""
    return [
        Anchor(int(match["number"]), Reason(match["reason"]) if match["reason"] else None)
        for match in _ANCHOR.finditer(markdown)
        if match["reason"] is None or match["reason"] in Reason.__members__.values()
    ]


def main_reason(reasons: Sequence[Reason]) -> Reason:
    """The commonest; of equals, the first."""
    return Counter(reasons).most_common(1)[0][0]
