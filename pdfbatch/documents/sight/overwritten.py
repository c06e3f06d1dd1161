"""Find text that was painted over and replaced: the old words lie under the new ones, and nobody sees them.

There is ink in their place, so searching for ink does not find them. The painting order does: a text, something plain
over it, another text. The recogniser decides which of the two is visible, because the layer between them may be a
highlight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pdfbatch.documents.pdf.boxes import inside_share
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.sight.letters import bare, likeness
from pdfbatch.documents.sight.look import Look, Span, core

OVERLAP, COVERED = 0.25, 0.7
"""Share of a text's middle that another text, or a cover, lies on."""
OTHER = 0.75
"""Texts with a lower likeness are different texts, not one printed twice or read in its place."""
CLEARLY = 0.1
"""How much more the other text must resemble what is read."""
MOST_ASKED = 20

Read = Callable[[Span], tuple[str, float]]
"""Returns what the picture shows in a span's box, and the confidence."""


class Overwritten(NamedTuple):
    """Spans `under` something painted over them, and spans `over` them in the same place."""

    under: list[Span]
    over: list[Span]


def overwritten_in(page: pymupdf.Page, look: Look, read: Read) -> Overwritten:
    """Return what was painted over and replaced. Reads nothing on ordinary pages."""
    pairs = _rivals(look.spans)
    if not pairs:
        return Overwritten([], [])
    log = list(enumerate(page.get_bboxlog()))
    covers = [(place, box) for place, (kind, box) in log if kind in ("fill-path", "fill-image", "fill-shade")]
    texts = [(place, box) for place, (kind, box) in log if kind.endswith("-text")]
    asked = [(span, rivals) for span, rivals in pairs if _is_parted(core(span["bbox"], span["dir"]), covers, texts)]
    found = [(span, rivals) for span, rivals in asked[:MOST_ASKED] if _shows_another(span, rivals, read)]
    under = {id(span) for span, _ in found}
    over = {id(other): other for _, rivals in found for other in rivals if id(other) not in under}
    return Overwritten([span for span, _ in found], list(over.values()))


def _rivals(spans: Sequence[Span]) -> list[tuple[Span, list[Span]]]:
    """Return each span with spans of another text that lie on it."""
    ordered = sorted(spans, key=lambda span: float(span["bbox"][1]))
    rivals: dict[int, list[Span]] = {}
    for place, span in enumerate(ordered):
        for other in ordered[place + 1 :]:
            if other["bbox"][1] >= span["bbox"][3]:
                break
            if other["bbox"][0] >= span["bbox"][2] or span["bbox"][0] >= other["bbox"][2]:
                continue  # first the fast check
            if _lie_on_each_other(span, other):
                rivals.setdefault(id(span), []).append(other)
                rivals.setdefault(id(other), []).append(span)
    return [(span, rivals[id(span)]) for span in ordered if id(span) in rivals]


def _lie_on_each_other(one: Span, other: Span) -> bool:
    mine, its = core(one["bbox"], one["dir"]), core(other["bbox"], other["dir"])
    if (
        max(inside_share(mine, its), inside_share(its, mine)) < OVERLAP
        or min(len(bare(one["text"])), len(bare(other["text"]))) < 2
    ):
        return False
    return likeness(one["text"], other["text"]) < OTHER


def _is_parted(
    box: tuple[float, float, float, float],
    covers: Sequence[tuple[int, tuple[float, float, float, float]]],
    texts: Sequence[tuple[int, tuple[float, float, float, float]]],
) -> bool:
    """Check whether a cover was painted between two texts in this place."""
    own = [place for place, other in texts if inside_share(box, other) > OVERLAP]
    return bool(own) and any(
        min(own) < place < max(own) for place, other in covers if inside_share(box, other) > COVERED
    )


def _shows_another(span: Span, rivals: Sequence[Span], read: Read) -> bool:
    seen, _ = read(span)
    if not bare(seen):
        return False
    mine = likeness(seen, span["text"])
    return mine < OTHER and max(likeness(seen, other["text"]) for other in rivals) > mine + CLEARLY
