import pytest

from pdfbatch.documents.textlayer.soft_hyphens import without_soft_hyphens
from pdfbatch.documents.textlayer.unwrap import Hyphens, joined_rows, rows_of
from tests.documents.sample_lines import line

SOFT = "\u00ad"


def joined(*rows: list[str]) -> str:
    """Return the text of rows, each a list of lines side by side."""
    lines = []
    for number, row in enumerate(rows):
        left = 0.0
        for text in row:
            lines.append(line(text, left, 100 + 14 * number))
            left = lines[-1].box[2]
    cleaned = without_soft_hyphens(lines)
    return "".join(piece.text for piece in joined_rows(rows_of(cleaned), Hyphens(cleaned)))


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([[f"Der Wert{SOFT}papier{SOFT}index"]], "Der Wertpapierindex"),
        ([["Der Wert", f"{SOFT}papier"]], "Der Wertpapier"),
        ([[f"Der Wert{SOFT}", "papier"]], "Der Wertpapier"),
        ([[f"die lang{SOFT}"], ["fristig leben"]], "die langfristig leben"),
        ([[f"die NATO-Mit{SOFT}"], ["Glieder"]], "die NATO-MitGlieder"),
        ([[f"am Ende lang{SOFT}"]], "am Ende lang-"),
    ],
)
def test_a_soft_hyphen_is_removed_and_its_word_joined(rows, wanted):
    assert joined(*rows) == wanted
