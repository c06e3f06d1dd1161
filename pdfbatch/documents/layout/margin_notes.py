"""Separate notes in the margin from the paragraph beside them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pdfbatch.documents.textlayer.lines import Line, median_size

SMALLER = 0.92
"""Largest size of a note, as a share of the paragraph's."""
GAP = 0.5
"""Font sizes: smallest gap between a note and the paragraph."""
FEWEST = 2
"""Lines of the paragraph: notes beside a single line are parts of it."""


def notes_beside(lines: Sequence[Line]) -> list[list[Line]]:
    """Return the small lines of a text that lie on one side of all others, each note as a list; empty if any lie
    elsewhere."""
    size = median_size(list(lines))
    small = [line for line in lines if line.size <= SMALLER * size and line.pose.turn == 0]
    rest = [line for line in lines if line not in small]
    if not small or len({round(line.base) for line in rest}) < FEWEST:
        return []
    left, right = min(line.box[0] for line in rest), max(line.box[2] for line in rest)
    outside = [line for line in small if line.box[2] < left - GAP * size or line.box[0] > right + GAP * size]
    has_words = any(char.isalpha() for line in outside for char in line.text)
    return _stacks(outside) if has_words and len(outside) == len(small) else []


def _stacks(notes: Sequence[Line]) -> list[list[Line]]:
    """Group notes below each other, split where there is a gap of a line."""
    stacks: list[list[Line]] = []
    for note in sorted(notes, key=lambda line: (line.box[1], line.box[0])):
        if stacks and note.box[1] - stacks[-1][-1].box[3] < note.size:
            stacks[-1].append(note)
        else:
            stacks.append([note])
    return stacks
