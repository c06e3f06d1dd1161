"""Text that is too long for a chunk is split where it hurts least, and nothing is lost."""

from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.export.splitting import pieces, table_pieces


def words(text: str) -> int:
    """A count that is easy to follow: of words, and of the characters of very long ones."""
    return sum(1 + len(word) // 20 for word in text.split())


@given(st.text("ab. \n。", max_size=400), st.integers(min_value=2, max_value=12))
def test_pieces_fit_and_lose_only_white_space(text: str, most: int) -> None:
    found = list(pieces(text, most, words))
    assert all(words(piece) <= most for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_a_text_is_split_at_blank_lines_before_sentences_before_words() -> None:
    text = "One two three. Four five six.\n\nSeven eight."
    assert list(pieces(text, 6, words)) == ["One two three. Four five six.", "Seven eight."]
    assert list(pieces(text, 3, words)) == ["One two three.", "Four five six.", "Seven eight."]
    assert list(pieces("one two three", 2, words)) == ["one two", "three"]


def test_each_part_of_a_table_repeats_its_header() -> None:
    table = "\n".join(["|name|size|", "|---|---|", *(f"|row {n}|{n}|" for n in range(4))])
    found = list(table_pieces(table, 6, words))
    assert found == [f"|name|size|\n|---|---|\n|row {n}|{n}|\n|row {n + 1}|{n + 1}|" for n in (0, 2)]


def test_a_table_with_rows_longer_than_a_chunk_is_split_like_text() -> None:
    table = "|a|\n|---|\n|" + "word " * 30 + "|"
    assert all(words(piece) <= 8 for piece in table_pieces(table, 8, words))
