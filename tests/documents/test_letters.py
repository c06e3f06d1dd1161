import pytest

from pdfbatch.documents.textlayer.normalize import broken_in, normalised


@pytest.mark.parametrize(
    ("drawn", "meant"),
    [
        ("J´an Min´aˇc", "Ján Mináč"),
        ("Barlas O˘guz", "Barlas Oğuz"),
        ("M¨obius", "Möbius"),
        ("na¨ıve", "naïve"),
        ("caf´e", "café"),
        ("eﬃcient ﬁrst", "efficient first"),
        ("on-going e↵orts", "on-going efforts"),
        ("a\u00a0b\tc", "a b c"),
        ("ﻫﺬﺍ ﻧﺺ", "هذا نص"),
        ("it´s what we´re told, don´t", "it's what we're told, don't"),
    ],
)
def test_letters_are_normalised(drawn, meant):
    assert normalised(drawn) == meant


def test_an_accent_that_fits_no_letter_stays():
    assert normalised("5 ´ 6") == "5 ´ 6"


def test_control_characters_go():
    assert normalised("a\x00b\x07c") == "abc"


def test_dot_leaders_without_a_meaning_become_an_ellipsis():
    assert normalised("Contents" + "\ufffd" * 40 + "7") == "Contents … 7"


def test_characters_without_meaning_are_counted():
    assert broken_in("plain text") == 0
    assert broken_in("a\ufffdb\ue000c\x01") == 3
    assert broken_in("Grüße, 世界\n") == 0
