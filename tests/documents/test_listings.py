"""Listings split by blank lines are joined."""

from dataclasses import replace

import pytest

from pdfbatch.documents.layout.listings import with_listings_whole
from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.pdf.boxes import union
from pdfbatch.documents.textlayer.lines import LinePiece
from tests.documents.sample_lines import line

PYTHON = ["def moor(boat):", "    boat.moor()", "    return boat", "", "if __name__ == '__main__':", "    moor(Boat())"]
SHELL = ["cd /srv/boats", "export PIER=3", "./moor --all", "", "echo done"]
C = ["int main(void) {", "    return moor(3);", "}", "", "", "int last;"]
LETTER = ["Dear Ms Olsen,", "", "the boat lies at the pier for the whole", "of the winter.", "", "Ada Braun"]


def parts(rows: list[str], kinds: str = "text", mono: bool = True, size: float = 10, bold: int = -1) -> list[Region]:
    """Return a region for each run of rows without a blank one, 12 points apart."""
    runs: list[Region] = []
    begins = True
    for number, text in enumerate(rows):
        if not text:
            begins = True
            continue
        made = line(text, 40, 100 + 12 * number, size)
        made = replace(made, pieces=[LinePiece(text, mono=mono, bold=bold == len(runs) - (not begins))])
        lines = [made] if begins else [*runs.pop().lines, made]
        runs.append(Region(kinds, union([one.box for one in lines]), lines))
        begins = False
    return runs


@pytest.mark.parametrize("rows", [PYTHON, SHELL, C])
@pytest.mark.parametrize("kind", ["text", "list-item", "section-header"])
def test_a_listing_with_blank_lines_is_one_text(rows: list[str], kind: str) -> None:
    whole = with_listings_whole(parts(rows, kind))
    assert [one.kind for one in whole] == ["text"]
    assert [one.text for one in whole[0].lines] == [row for row in rows if row]


def test_a_typewritten_letter_and_text_in_other_fonts_stay_separate() -> None:
    assert len(with_listings_whole(parts(LETTER))) == 3
    assert len(with_listings_whole(parts(PYTHON, mono=False))) == 2


def test_distant_or_differently_set_parts_and_captions_stay_separate() -> None:
    first, second = parts(PYTHON)
    assert len(with_listings_whole(parts([*PYTHON[:3], *[""] * 4, *PYTHON[4:]]))) == 2
    assert len(with_listings_whole([first, parts(PYTHON, size=12)[1]])) == 2
    assert len(with_listings_whole(parts(PYTHON, bold=0))) == 2
    assert len(with_listings_whole([first, replace(second, kind="caption")])) == 2
    assert len(with_listings_whole([second, first])) == 2
