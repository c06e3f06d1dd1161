from pdfbatch.documents.textlayer.health import MISREAD_SHARE
from pdfbatch.documents.textlayer.ocr_noise import FEWEST_WORDS, implausible_share

GOOD = [f"{first}{last}" for first in ("plan", "sugar", "mill", "deck") for last in ("s", "ed", "ing", "er", "like")]
GOOD += [word.title() for word in GOOD] + ["McDonald", "AT&T", "PDFs", "e.g.", "«mot»", "O'Neil", "user@example.org"]
BAD = ["s*r;tiiR»", "FRG&t", "Calif&rr-.la.", "JMBWeil", "H^uid", "£ug»r"]


def test_ordinary_words_are_plausible():
    assert len(GOOD) > FEWEST_WORDS
    assert implausible_share(" ".join(GOOD)) == 0


def test_misread_words_give_a_layer_away():
    assert implausible_share(" ".join(GOOD + BAD)) > MISREAD_SHARE


def test_one_odd_name_repeated_is_not_a_misreading():
    assert implausible_share(" ".join(GOOD + ["edgeRNN"] * 50)) < MISREAD_SHARE


def test_few_words_are_not_judged():
    assert implausible_share(" ".join(BAD)) == 0
