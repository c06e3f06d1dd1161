"""Which files of a command's output belong to which document. Pure but for reading the folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import quote

from pdfbatch.records import output_key, stem_of


class Made(NamedTuple):
    """A file that a command made for a document: its key in the output store, and where it lies now."""

    key: str
    path: Path


def made_files(folder: Path, keys: Iterable[str]) -> Mapping[str, list[Made]]:
    """Returns the files below a folder by the document that they belong to, the Markdown of each last.

    Links and special files are left out: they may lead anywhere. So are files that belong to no document.
    """
    found: dict[str, list[Made]] = {key: [] for key in keys}
    stems = _by_stem(found)
    for name in sorted(files_below(folder)):
        if (owner := _owner(name, stems)) is not None:
            key, rest = owner
            made = stem_of(key) + rest
            if all(made != other.key for other in found[key]):
                found[key].append(Made(made, folder / name))
    return {key: _markdown_last(key, files) for key, files in found.items()}


def _markdown_last(key: str, files: Iterable[Made]) -> list[Made]:
    markdown = output_key(key)
    return sorted(files, key=lambda made: (made.key == markdown, made.key))


def markdown_for(key: str, files: Sequence[Made]) -> bytes | None:
    """Returns the Markdown of a document: what the command wrote, or a list of links to what it wrote instead. None if
    it wrote nothing.

    There is always Markdown, because it is what says that a document is done.
    """
    if not files:
        return None
    if files[-1].key == output_key(key):
        return files[-1].path.read_bytes()
    folder = key[: key.rfind("/") + 1]
    names = [made.key.removeprefix(folder) for made in files]
    return "".join(f"- [{_escaped(name)}]({quote(name)})\n" for name in names).encode("utf-8", "replace")


def _by_stem(keys: Iterable[str]) -> Mapping[str, str]:
    """Maps what the name of an output may begin with to its document: the name of the input, with or without its
    extension. What several could claim belongs to the one whose Markdown is named so, or else to none."""
    named = list(keys)
    claims: dict[str, set[str]] = {}
    for key in named:
        claims.setdefault(str(PurePosixPath(key).with_suffix("")), set()).add(key)
    found = {stem: claimants.pop() for stem, claimants in claims.items() if len(claimants) == 1}
    return found | {key: key for key in named} | {stem_of(key): key for key in named}


def _owner(name: str, stems: Mapping[str, str]) -> tuple[str, str] | None:
    """Returns the document of an output, and what follows its stem; the longest stem wins."""
    for at in range(len(name) - 1, 0, -1):
        if name[at] in "./" and name[:at] in stems:
            return stems[name[:at]], name[at:]
    return None


def files_below(folder: Path) -> Iterator[str]:
    """Yields the files below a folder by their paths in it; no links, which may lead anywhere, and no special files."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            if path.is_file() and not path.is_symlink():
                yield str(path.relative_to(folder))


def _escaped(name: str) -> str:
    return "".join(f"\\{char}" if char in "\\[]*_`<>" else char for char in name)
