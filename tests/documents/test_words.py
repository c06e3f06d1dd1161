from pdfbatch.documents.textlayer.words import doubled, kept_enough, words_of
from tests.markdown_words import words_of_markdown

TEXT = " ".join(f"word{chr(97 + n)}" for n in range(24))


def test_words_are_three_letters_or_two_digits():
    assert words_of("a to the 7 42 x1") == {"the": 1, "42": 1}


def test_a_word_broken_at_a_lines_end_is_one_word():
    assert words_of("exam-\nple and in-house") == {"example": 1, "and": 1, "house": 1}


def test_compatibility_forms_are_the_same_word():
    assert words_of("ﬁne") == words_of("fine")


def test_pipes_tags_escapes_and_marks_are_not_part_of_words():
    markdown = "|**bold**|amount<sup>2</sup>|\n\\*right\\* <!-- a comment --> _slanted_"
    assert words_of_markdown(markdown) == {"bold": 1, "amount": 1, "right": 1, "slanted": 1}


def test_nine_words_of_ten_are_enough_and_eight_are_not():
    words = TEXT.split()
    assert kept_enough(words_of(TEXT), words_of(" ".join(words[:22])))
    assert not kept_enough(words_of(TEXT), words_of(" ".join(words[:20])))


def test_a_page_of_few_words_is_not_judged_by_shares():
    assert kept_enough(words_of("only three words"), words_of(""))


def test_duplicated_text_is_noticed():
    assert doubled(words_of(TEXT), words_of(f"{TEXT} {TEXT}"))
    assert not doubled(words_of(TEXT), words_of(f"{TEXT} more"))
