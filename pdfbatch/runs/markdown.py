"""The published Markdown: pages in order, each behind its anchor. Pure; what is written here is read back here."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from pdfbatch.records import PageResult, Reason

_ANCHOR = re.compile(r"^<!-- page (?P<number>\d+)(?:: (?P<reason>[a-z_]+))? -->$", re.MULTILINE)
_LOOKALIKE = re.compile(r"^(\s*)<!-- page (?=\d)", re.MULTILINE)


def assemble(pages: Sequence[PageResult]) -> str:
    """The document, given its pages in order; an unread page keeps its place as an anchor with the reason."""
    parts = []
    for page in pages:
        if page.reason is not None:
            parts.append(f"<!-- page {page.number}: {page.reason} -->\n")
            continue
        # A page may quote an anchor; as text it must not count as one.
        text = _LOOKALIKE.sub(r"\1&lt;!-- page ", page.markdown.strip())
        parts.append(f"<!-- page {page.number} -->\n" + (f"\n{text}\n" if text else ""))
    return "\n".join(parts)


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
