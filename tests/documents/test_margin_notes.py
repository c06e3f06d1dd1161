from pdfbatch.documents.layout.margin_notes import notes_beside
from tests.documents.sample_lines import SENTENCES, line


def paragraph(left=130):
    return [line(text, left, 100 + 14 * row, size=11) for row, text in enumerate(SENTENCES)]


def notes(lines):
    return [[one.text for one in note] for note in notes_beside(lines)]


def test_small_lines_beside_a_paragraph_are_notes():
    left = [line("Ice and", 40, 100, size=8), line("storms", 40, 109, size=8), line("Dogs", 40, 140, size=8)]
    assert notes([*paragraph(), *left]) == [["Ice and", "storms"], ["Dogs"]]
    assert notes([*paragraph(40), line("Storms", 460, 114, size=8)]) == [["Storms"]]


def test_lines_of_one_size_are_rows():
    assert notes([*paragraph(), line("Name:", 40, 100, size=11)]) == []


def test_small_signs_within_a_paragraph_are_not_notes():
    assert notes([*paragraph(), line("2", 200, 108, size=7)]) == []
    assert notes([*paragraph(), line("12", 100, 100, size=7)]) == []


def test_small_text_beside_one_line_stays_in_its_row():
    assert notes([line("A title of one line", 130, 100, size=14), line("page", 40, 100, size=8)]) == []
