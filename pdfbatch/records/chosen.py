"""Which files below INPUT are documents: names and patterns, decided from keys alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from pdfbatch.records.base import Record
from pdfbatch.records.keys import STATE_PREFIX, is_nameless, is_pdf_key, is_picture_key

WILD = frozenset("*?[")
_KNOWN_ENDING = re.compile(r"\.(?:pdf|png|jpe?g|tiff?)$", re.IGNORECASE)


class Chosen(Record):
    """The selection of documents; empty means every PDF. Keys and patterns are relative to INPUT. It is part of the
    manifest, so that a resumed run and `verify` use the same documents.

    Images are documents only if requested: by name, by a pattern, or by `include`.
    """

    named: list[str] = []
    """Keys of files, and of folders, which end with "/"; "" is INPUT itself."""
    patterns: list[str] = []
    """`*` and `?` stay within a folder, `**` does not. Without names and patterns: all of INPUT."""
    include: list[str] = []
    """Only files that match one of these. A pattern without "/" is matched against the name of the file and of each
    folder above it, any other against the key from its start. A matching folder includes everything in it."""
    exclude: list[str] = []
    """No files that match one of these, by the same rules."""
    any_kind: bool = False
    """Files of any kind are documents, wherever images are."""
    without: str = ""
    """The output folder if it is below INPUT: nothing in it is an input."""

    @property
    def is_everything_below(self) -> bool:
        """Whether no file, folder or pattern was given."""
        return not self.named and not self.patterns

    @property
    def files(self) -> list[str]:
        """The keys of files in `named`."""
        return [key for key in self.named if key and not key.endswith("/")]

    @property
    def folders(self) -> list[str]:
        """The folders in `named`."""
        return [key for key in self.named if not key or key.endswith("/")]

    def taker(self) -> Callable[[str], bool]:
        """Returns a function that says whether a key is a document."""
        files, folders = frozenset(self.files), tuple(self.folders)
        fits, included, excluded = matcher(self.patterns), _filter(self.include), _filter(self.exclude)

        def takes(key: str) -> bool:
            if key.startswith(STATE_PREFIX) or is_nameless(key) or excluded(key):
                return False
            if self.without and key.startswith(self.without):
                return False
            is_named, is_matched = key in files, fits(key)
            if not (self.is_everything_below or is_named or is_matched or key.startswith(folders)):
                return False
            if self.include and not included(key):
                return False
            asked_for = is_matched or bool(self.include)
            return is_named or is_pdf_key(key) or (asked_for and (self.any_kind or is_picture_key(key)))

        return takes


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Returns a function that says whether a whole key matches one of the patterns."""
    return _any(map(_as_regex, patterns))


def _filter(patterns: Iterable[str]) -> Callable[[str], bool]:
    return _any(map(_filter_as_regex, patterns))


def _any(regexes: Iterable[str]) -> Callable[[str], bool]:
    alternatives = "|".join(f"(?:{regex})" for regex in regexes)
    if not alternatives:
        return lambda _key: False
    compiled = re.compile(alternatives, re.DOTALL)
    return lambda key: compiled.fullmatch(key) is not None


def _filter_as_regex(pattern: str) -> str:
    bare = pattern.removeprefix("./").strip("/")
    anywhere = "" if "/" in pattern.rstrip("/") else "(?:.*/)?"
    return anywhere + _as_regex(bare) + ("/.*" if pattern.endswith("/") else "(?:/.*)?")


def _as_regex(pattern: str) -> str:
    """Returns the pattern as a regex. Document extensions match in any case, as they do without a pattern."""
    ending = _KNOWN_ENDING.search(pattern)
    body = pattern[: ending.start()] if ending else pattern
    parts, at = list[str](), 0
    while at < len(body):
        part, at = _next_part(body, at)
        parts.append(part)
    return "".join(parts) + (f"(?i:{re.escape(ending.group())})" if ending else "")


def _next_part(pattern: str, at: int) -> tuple[str, int]:
    """Returns the regex for the part of the pattern at `at`, and where that part ends."""
    if pattern.startswith("**/", at):
        return "(?:.*/)?", at + 3
    if pattern.startswith("**", at):
        return ".*", at + 2
    simple = {"*": "[^/]*", "?": "[^/]"}.get(pattern[at])
    if simple:
        return simple, at + 1
    negated = pattern[at + 1 : at + 2] in ("!", "^")
    end = pattern.find("]", at + 2 + negated)  # as the first of the letters it stands for itself
    if pattern[at] != "[" or end < 0:
        return re.escape(pattern[at]), at + 1
    letters = pattern[at + 1 : end]
    one = f"(?!/)[{'^' if negated else ''}{_letters(letters[1:] if negated else letters)}]"
    try:
        re.compile(one)
    except re.error:  # a range from high to low
        return re.escape(pattern[at]), at + 1
    return one, end + 1


def _letters(letters: str) -> str:
    """Returns letters and ranges for use within [] of a regex."""
    return re.sub(
        r"(.)(?:-(.))?", lambda one: "-".join(re.escape(end) for end in one.groups() if end), letters, flags=re.DOTALL
    )
