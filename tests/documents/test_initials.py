import pytest

from pdfbatch.documents.textlayer.initials import with_initials
from tests.documents.sample_lines import SENTENCES, line, texts


def chapter(initial: str, first: str, size: float = 40, rows: int = 3):
    """Return a page whose first `rows` lines stand beside the initial."""
    lines = [line(initial, 72, 100 + 14 * (rows - 1), size=size)]
    right = lines[0].box[2] + 3
    lines.append(line(first, right, 100))
    lines += [line(text, right if row + 1 < rows else 72, 114 + 14 * row) for row, text in enumerate(SENTENCES)]
    return lines


@pytest.mark.parametrize(
    ("initial", "first", "wanted"),
    [
        ("O", "nce a year the boats are lifted", "Once a year the boats are lifted"),
        ("T", "HE BOATS are lifted from the water", "THE BOATS are lifted from the water"),
        ("“W", "e went to the pier at noon", "“We went to the pier at noon"),
        ("É", "tait une fois un port", "Était une fois un port"),
        ("A", "book of the tides lies there", "A book of the tides lies there"),
        ("A", "nna lives in the red house", "Anna lives in the red house"),
    ],
)
@pytest.mark.parametrize(("size", "rows"), [(28, 2), (40, 3), (60, 4)])
def test_a_large_initial_is_joined_to_its_word(initial, first, wanted, size, rows):
    lines = with_initials(chapter(initial, first, size, rows))
    assert texts(lines) == [wanted, *SENTENCES]


def test_an_initial_is_joined_to_its_word_even_if_it_comes_later():
    lines = chapter("O", "nce a year the boats are lifted")
    assert texts(with_initials([*lines[1:], lines[0]]))[0] == "Once a year the boats are lifted"


@pytest.mark.parametrize(
    ("initial", "first"), [("A", "Rules of the harbour in force"), ("7", "nce a year"), ("Part", "nce a year")]
)
def test_a_large_label_beside_text_stays_apart(initial, first):
    lines = chapter(initial, first)
    assert with_initials(lines) == lines


def test_a_large_letter_beside_one_line_is_not_an_initial():
    lines = chapter("O", "nce a year")[:2]
    assert with_initials(lines) == lines
