"""The words of Markdown, for tests and benchmarks that compare it with a text layer."""

import re
from collections import Counter

from pdfbatch.documents.textlayer.words import words_of

_TAG = re.compile(r"</?(?:sup|sub|br|table|thead|tbody|tr|td|th)\b[^<>]*>|<!--.*?-->", re.DOTALL)
_TARGET = re.compile(r"(?<=\])\([^()\s]*\)")


def words_of_markdown(markdown: str) -> Counter[str]:
    """The words of Markdown: tags and table pipes are blanks, escapes and emphasis no part of a word, and
    where links lead is not on the page."""
    return words_of(re.sub(r"[|\\*`]", " ", _TAG.sub(_blank_for, _TARGET.sub("", markdown))))


def _blank_for(tag: re.Match[str]) -> str:
    return "" if tag.group().startswith(("<sup", "</sup", "<sub", "</sub")) else " "
