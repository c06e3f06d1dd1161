"""Find check boxes and radio buttons, each with the label beside it. Pure.

They are form fields or characters of the text (☐ ☒), which may be lines of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pdfbatch.documents.pdf.upright import UPRIGHT
from pdfbatch.documents.textlayer.annotations import CheckBox
from pdfbatch.documents.textlayer.lines import Box, Line, LinePiece

CHECKED, UNCHECKED = "[x]", "[ ]"
LABEL_GAP = 4.0
"""Font sizes: the largest distance between a box and its label."""
_SIGN_CHECKED, _SIGN_UNCHECKED = "☑☒🗹🗵\uf0fd\uf0fe", "☐"
_SIGN = re.compile(f"^\\s*([{_SIGN_CHECKED}{_SIGN_UNCHECKED}])\\s*")
_CHOSEN, _OTHERS = f"■◉⦿🔘●{_SIGN_CHECKED}", "□◻▢○◯"
"""These are also bullets; but where both kinds stand in one column or row they are choices, because lists indent items
with another bullet."""
_CHOICE = re.compile(f"^\\s*([{_CHOSEN}{_OTHERS}])(?=\\s|\\w|$)\\s*")
_SAME_EDGE = 2.0
_MARK = re.compile("^\\s*[xX✓✔✕✖✗✘](?=\\s|$)\\s*")
"""A mark typed into a drawn box."""


def with_check_boxes(lines: Iterable[Line], boxes: Sequence[CheckBox]) -> list[Line]:
    """Give labels of boxes the role `form_field` and the box's state as `marker`. A box without a label becomes a line
    of its own. The character that a form draws into its box is dropped."""
    whole = list(lines)
    boxes = _with_marks(boxes, whole)
    rest = [line for line in whole if not _is_drawn_in(line, boxes)]
    marked: dict[int, Line] = {}
    alone: list[Line] = []
    for box in sorted(boxes, key=lambda box: (box.box[1], box.box[0])):
        marker = CHECKED if box.checked else UNCHECKED
        label = _label_of(box.box, [line for line in rest if id(line) not in marked], boxes)
        if label is None:
            alone.append(_alone(box, marker, rest))
        else:
            bare = _without(_MARK, label) if box.drawn and _begins_in(label, box.box) else label
            marked[id(label)] = replace(bare, role="form_field", marker=marker)
    return _with_signs([marked.get(id(line), line) for line in rest]) + alone


def _with_marks(boxes: Sequence[CheckBox], lines: Sequence[Line]) -> list[CheckBox]:
    """Keep drawn boxes only if they have a label, and check a box if a mark is typed into it."""
    kept = [box for box in boxes if not box.drawn]
    fields = [box.box for box in kept]
    for box in boxes:
        if not box.drawn or any(_overlap(box.box, field) for field in fields):
            continue
        typed = [line for line in lines if _MARK.match(line.text) and _begins_in(line, box.box)]
        label = _label_of(box.box, [line for line in lines if line not in typed or _MARK.sub("", line.text)], boxes)
        if label is not None and any(map(str.isalpha, label.text)) and label.box[0] > box.box[0]:
            kept.append(box._replace(checked=box.checked or bool(typed)))
    return kept


def _overlap(box: Box, other: Box) -> bool:
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]


def _begins_in(line: Line, box: Box) -> bool:
    middle = (line.box[1] + line.box[3]) / 2
    return box[0] - 1 <= line.box[0] < box[2] and box[1] - 2 <= middle <= box[3] + 2


def _is_drawn_in(line: Line, boxes: Sequence[CheckBox]) -> bool:
    if len(line.text.strip()) > 1:
        return False
    across, down = (line.box[0] + line.box[2]) / 2, (line.box[1] + line.box[3]) / 2
    return any(
        box[0] - 1 <= across <= box[2] + 1 and box[1] - 1 <= down <= box[3] + 1 for box in (one.box for one in boxes)
    )


def _label_of(box: Box, lines: Sequence[Line], boxes: Sequence[CheckBox]) -> Line | None:
    """Return the nearest line to the right, unless another box comes first; otherwise the one to the left, unless
    another box follows it."""
    row = [line for line in lines if _level(box, line.box) and line.role == ""]
    others = [other.box for other in boxes if other.box != box and _level(box, other.box)]
    right = [line for line in row if -2 <= line.box[0] - box[2] < LABEL_GAP * line.size or _is_marked_label(line, box)]
    right = [line for line in right if not any(box[2] <= other[0] < line.box[0] for other in others)]
    if right:
        return min(right, key=lambda line: line.box[0])
    left = [line for line in row if -2 <= box[0] - line.box[2] < LABEL_GAP * line.size]
    left = [line for line in left if not any(line.box[2] <= other[2] <= box[0] for other in others)]
    left = [line for line in left if not any(-2 <= line.box[0] - other[2] < LABEL_GAP * line.size for other in others)]
    return max(left, key=lambda line: line.box[2], default=None)


def _is_marked_label(line: Line, box: Box) -> bool:
    """Check whether a mark in the box and the label after it form one line."""
    return _begins_in(line, box) and bool(_MARK.match(line.text)) and bool(_MARK.sub("", line.text))


def _alone(box: CheckBox, marker: str, lines: Sequence[Line]) -> Line:
    near = min(lines, key=lambda line: abs(line.box[1] - box.box[1]), default=None)
    return Line(
        box=box.box,
        pose=near.pose if near else UPRIGHT,
        size=near.size if near else box.box[3] - box.box[1],
        pieces=[LinePiece(box.name)],
        block=near.block if near else 0,
        role="form_field",
        marker=marker,
    )


def _with_signs(lines: list[Line]) -> list[Line]:
    """Turn box characters of the text into markers; one that is a line of its own is joined to the line on its
    right."""
    signs = {id(line): _SIGN for line in lines if not line.role and _SIGN.match(line.text)}
    signs |= {id(line): _CHOICE for line in _choices(lines)}
    if not signs:
        return lines
    changed: dict[int, Line | None] = {}
    labels = [line for line in lines if id(line) not in signs]
    for sign in (line for line in lines if id(line) in signs):
        pattern = signs[id(sign)]
        found = pattern.match(sign.text)
        marker = CHECKED if found and found[1] in _CHOSEN else UNCHECKED
        if pattern.fullmatch(sign.text):
            label = _label_of(sign.box, labels, ())
            if label is None or id(label) in changed:
                continue
            changed[id(sign)] = None
            changed[id(label)] = replace(label, role="form_field", marker=marker)
        else:
            changed[id(sign)] = replace(_without(pattern, sign), role="form_field", marker=marker)
    kept = (changed.get(id(line), line) for line in lines)
    return [line for line in kept if line is not None]


def _choices(lines: Sequence[Line]) -> list[Line]:
    """Return lines that begin with a filled or an empty sign and have a line of the other kind above, below or beside
    them."""
    begun = [(line, found[1]) for line in lines if not line.role and (found := _CHOICE.match(line.text))]
    if len({sign in _CHOSEN for _, sign in begun}) < 2:
        return []
    return [
        line
        for line, sign in begun
        if any(
            (sign in _CHOSEN) != (other in _CHOSEN)
            and (abs(line.box[0] - one.box[0]) <= _SAME_EDGE or _level(line.box, one.box))
            for one, other in begun
        )
    ]


def _without(sign: re.Pattern[str], line: Line) -> Line:
    pieces = list(line.pieces)
    while pieces and not pieces[0].text.strip():
        pieces.pop(0)
    pieces[0] = pieces[0]._replace(text=sign.sub("", pieces[0].text))
    if not pieces[0].text:
        pieces.pop(0)
        pieces[0] = pieces[0]._replace(text=pieces[0].text.lstrip())
    return replace(line, pieces=pieces)


def _level(box: Box, other: Box) -> bool:
    middle = (box[1] + box[3]) / 2
    return other[1] - 1 <= middle <= other[3] + 1 or box[1] <= (other[1] + other[3]) / 2 <= box[3]
