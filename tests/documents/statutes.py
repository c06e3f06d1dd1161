"""A realistic document of twelve pages, and its Markdown: running headers that change sides, headings 1, 1.1 and A., a
paragraph split by a page break, a table over three pages, and an appendix that repeats a clause verbatim."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pymupdf

from pdfbatch.demo.typeset import new_document, put, put_centred, width_of, wrap

PAGES = 12
LEFT, WIDTH, SIZE = 72.0, 451.0, 10.0
CLAUSE = (
    "Whoever leaves a boat at the pier for more than a year without paying for it loses the berth, and the harbour "
    "board sells the boat after it has written to the owner twice. What the sale brings beyond the debts is kept for "
    "the owner."
)
_SUBJECTS = [
    *("The tenant", "The warden", "The clerk", "A guest", "The diver"),
    *("The crane driver", "The board", "An heir", "The owner", "A buyer"),
]
_DUTIES = (
    "keeps the berth clean and free of ice, and leaves room for boats that pass on their way to the slipway",
    "tells the harbour office in writing when he is away for longer than a week, and who may use the boat meanwhile",
    "sees to it that ropes, chains and buoys are looked after twice a year, and writes down what has to be mended",
    "pays what is due on the first of April to the account that is named on the yearly bill, and keeps the receipt",
    "takes care that oil, paint and batteries are brought to the yellow shed behind the office, never to the bins",
    "may be asked to help when there is a storm or when the pier is repaired, on the same day if it cannot wait",
    "answers for all that is broken by his own fault, and for what those break who are on board with his leave",
)
_FISH = ["cod", "perch", "pike", "bream", "ruffe", "tench", "roach", "zander", "smelt", "herring"]
HEADER = ("Boat", "Berth", "Fee")
ROWS = [(f"{_FISH[n % 10].capitalize()} {n + 1}", f"{'NESW'[n % 4]}{n + 11}", f"{120 + 7 * n}.50") for n in range(72)]
ROWS_ON_PAGE = (20, 34, 18)
CUT = f"{_SUBJECTS[6]} {_DUTIES[5]}. {_SUBJECTS[3]} {_DUTIES[0]}."

HEADINGS = {
    1: ("1 Berths", "1.1 Length of boats"),
    3: ("1.2 Width of boats",),
    4: ("2 Fees",),
    5: ("2.1 List of fees",),
    8: ("3 Crane", "3.1 Who works it"),
    10: ("A. Clauses that hold without notice",),
    12: ("B. Entry into force",),
}


def paragraphs(page: int, count: int) -> list[str]:
    """Return texts that no other page has."""
    return [
        " ".join(
            f"{_SUBJECTS[(page + k + 3 * s) % 10]} {_DUTIES[(page * 2 + k + s) % 7]}"
            + (f" (rule {page}.{k}.{s})" if s == 1 else "")
            + "."
            for s in range(3)
        )
        for k in range(count)
    ]


def blocks_of(page: int) -> list[str]:
    """Return the headings and paragraphs of a page in order; a heading begins with its number signs."""
    heads = [f"{'#' * (2 + is_second(head))} {head}" for head in HEADINGS.get(page, ())]
    texts = paragraphs(page, {5: 2, 6: 0, 7: 3}.get(page, 5))
    if page == 1:
        return ["# Statutes of the harbour of Northbay", heads[0], texts[0], heads[1], CLAUSE, *texts[1:]]
    if page == 10:
        return [*heads, CLAUSE, *texts]
    return [*heads, *texts]


def is_second(head: str) -> bool:
    return head[1] == "." and head[2].isdigit()


def markdown() -> str:
    """Return the Markdown that a person would write."""
    pages = []
    for page in range(1, PAGES + 1):
        blocks = blocks_of(page)
        if page == 2:
            blocks.append(CUT)
        if page == 5:
            blocks.append("\n".join(f"|{'|'.join(row)}|" for row in (HEADER, ("---",) * 3, *ROWS)))
        pages.append("\n\n".join([f"<!-- page {page} -->", *blocks]) + "\n")
    return "\n".join(pages)


def write_statutes(path: Path) -> None:
    document = new_document(PAGES)
    parts = _parts()
    rows = iter(ROWS)
    for number, page in enumerate(document, start=1):
        _put_furniture(page, number)
        y = 90.0
        if number == 3:
            y = _put_lines(page, y, wrap(CUT, WIDTH, "tiro", SIZE)[len(parts) :]) + 8
        if number in (6, 7):
            y = _put_table(page, y, [next(rows) for _ in range(ROWS_ON_PAGE[number - 5])])
        for block in blocks_of(number):
            y = _put_block(page, y, block)
        if number == 5:
            _put_table(page, y, [next(rows) for _ in range(ROWS_ON_PAGE[0])])
        if number == 2:
            _put_lines(page, y, parts)
    document.save(path)


def _parts() -> list[str]:
    return wrap(CUT, WIDTH, "tiro", SIZE)[:1]


def _put_furniture(page: pymupdf.Page, number: int) -> None:
    head = "Northbay harbour board" if number % 2 else "Statutes and fees, edition of 2026"
    x = LEFT if number % 2 else LEFT + WIDTH - width_of(head, "tiit", 9)
    put(page, x, 48, head, "tiit", 9)
    put_centred(page, 806, f"Page {number} of {PAGES}", size=9)


def _put_block(page: pymupdf.Page, y: float, block: str) -> float:
    if not block.startswith("#"):
        return _put_lines(page, y, wrap(block, WIDTH, "tiro", SIZE)) + 8
    signs, text = block.split(" ", 1)
    size = 20.0 if "Statutes" in text else 16.0 if len(signs) == 2 else 13.0
    put(page, LEFT, y + size, text, "tibo", size)
    return y + size + 14


def _put_lines(page: pymupdf.Page, y: float, lines: Sequence[str]) -> float:
    for line in lines:
        put(page, LEFT, y + SIZE, line)
        y += 13
    return y


def _put_table(page: pymupdf.Page, y: float, rows: Sequence[Sequence[str]]) -> float:
    edges = [LEFT, LEFT + 200, LEFT + 320, LEFT + 420]
    lines = [HEADER, *rows]
    for number in range(len(lines) + 1):
        page.draw_line((edges[0], y + 18 * number), (edges[-1], y + 18 * number), width=0.6)
    for x in edges:
        page.draw_line((x, y), (x, y + 18 * len(lines)), width=0.6)
    for number, row in enumerate(lines):
        for x, cell in zip(edges, row, strict=False):
            put(page, x + 4, y + 18 * number + 13, cell, "tibo" if number == 0 else "tiro")
    return y + 18 * len(lines) + 16
