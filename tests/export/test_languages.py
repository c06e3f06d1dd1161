"""Languages in the form of FinePDFs."""

import pytest

from pdfbatch.export.tokens import count_tokens
from pdfbatch.languages import NO_LANGUAGE, Language, average, language_of


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The quick brown fox jumps over the lazy dog and then returns to its home.", "eng_Latn"),
        ("Der schnelle braune Fuchs springt über den faulen Hund und kehrt zurück.", "deu_Latn"),
        ("Брза смеђа лисица прескаче лењог пса и враћа се кући.", "srp_Cyrl"),
        ("吾輩は猫である。名前はまだ無い。", "jpn_Jpan"),
        ("中华人民共和国成立于一九四九年十月一日。", "cmn_Hani"),
        ("대한민국의 수도는 서울이다.", "kor_Hang"),
        ("هذا نص عربي قصير عن تاريخ المدينة القديمة", "arb_Arab"),
        ("यह एक हिन्दी वाक्य है और इसमें कुछ शब्द हैं।", "hin_Deva"),
        ("Αυτό είναι ένα σύντομο ελληνικό κείμενο.", "ell_Grek"),
    ],
)
def test_language_and_script_of_a_text(text: str, label: str) -> None:
    assert language_of(text).label == label


@pytest.mark.parametrize("text", ["", "12 345 | 67", "\0\0\0", "![](figures/page-0001-001.png)", "---"])
def test_a_text_without_letters_has_no_language(text: str) -> None:
    assert language_of(text) == NO_LANGUAGE


def test_the_average_leaves_out_pages_without_letters() -> None:
    pages = [Language("eng_Latn", 0.9), NO_LANGUAGE, Language("deu_Latn", 0.6), Language("eng_Latn", 0.6)]
    assert average(pages) == Language("eng_Latn", 0.5)
    assert average([NO_LANGUAGE]) == NO_LANGUAGE


def test_tokens_of_any_text_are_counted() -> None:
    assert count_tokens("hello world") == 2
    assert count_tokens("") == 0
    assert count_tokens("<|endoftext|>") > 1
    assert count_tokens("a" * 1_200_000) > 100_000
