"""Resolves everything given as INPUT to one store and a selection of files in it.

Folders, files, patterns and lists of paths all become keys and patterns below their common folder, so that later code
does not need to know how they were given.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from pdfbatch.errors import AccessDenied, NotFound, UsageError
from pdfbatch.records import WILD, Chosen
from pdfbatch.runs.inputs import common_folder, folder_of
from pdfbatch.store import LocalStore, S3Store, Store, inside, is_s3, local_path, open_store, s3_parts
from pdfbatch.store.local import name_to_key

STDIN = "-"
MOST_SHOWN = 5
MOST_COMPARED = 2000
_ENDINGS = (".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff")


class Inputs(NamedTuple):
    source: Store
    chosen: Chosen


class _Typed(NamedTuple):
    """One INPUT. `where` names its line in a list; "": it was given on the command line, and may be a pattern."""

    text: str
    where: str = ""


class _Found(NamedTuple):
    """A resolved INPUT. `key` is relative to the local root or to `bucket`; a folder's key is "" or ends with "/"."""

    kind: Literal["file", "folder", "pattern"]
    bucket: str
    """"" for a local file."""
    key: str

    @property
    def folder(self) -> str:
        """The folder itself, or the folder that contains it."""
        if self.kind == "pattern":
            return folder_of(self.key)
        return self.key[: self.key.rfind("/") + 1]


def named(
    inputs: Sequence[str],
    output: Store | None,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    known: str = "",
    read_list: Callable[[str], str],
) -> Inputs:
    """Resolves inputs to one store and a selection.

    `known`: the input that this output was made from so far, "" if there is none; keys stay relative to it if all
    inputs are below it. `read_list` reads a list of paths by its name; "-" is stdin.

    Raises:
        UsageError: an input is invalid, or the inputs cannot be combined.
        NotFound: an input does not exist.
    """
    typed = [each for text in inputs for each in _spread(text, read_list)]
    if not typed:
        raise UsageError("The list names no file.", "Write one path per line.")
    _check_one_place(sorted({s3_parts(each.text)[0] if is_s3(each.text) else "" for each in typed}))
    stores: dict[str, S3Store] = {}
    found = list(dict.fromkeys(_found(each, stores) for each in typed))
    bucket = found[0].bucket
    root = common_folder([each.folder for each in found])
    if not any("/" in pattern.rstrip("/") for pattern in [*include, *exclude]):
        root = _known_root(known, bucket, root)
    source = open_store(f"s3://{bucket}/{root}" if bucket else f"/{root}")
    chosen = Chosen(include=list(include), exclude=list(exclude), without=_below(source, output))
    if [(each.kind, each.key) for each in found] == [("folder", root)]:
        return Inputs(source, chosen)
    return Inputs(
        source,
        chosen.model_copy(
            update={
                "named": sorted(each.key.removeprefix(root) for each in found if each.kind != "pattern"),
                "patterns": sorted(each.key.removeprefix(root) for each in found if each.kind == "pattern"),
            }
        ),
    )


def places_of(source: Store, chosen: Chosen) -> tuple[str, ...]:
    """Returns the URLs of the folders that are read: those of the chosen files, or the whole input."""
    if chosen.is_everything_below:
        return (source.url,)
    folders = {*chosen.folders, *(key[: key.rfind("/") + 1] for key in chosen.files), *map(folder_of, chosen.patterns)}
    outer = sorted(each for each in folders if not any(each != other and each.startswith(other) for other in folders))
    return tuple(source.url + folder for folder in outer)


def _spread(text: str, read_list: Callable[[str], str]) -> list[_Typed]:
    if text != STDIN and not text.startswith("@"):
        return [_Typed(text)]
    name = text if text == STDIN else text[1:]
    shown = "stdin" if name == STDIN else name
    lines = [line.removesuffix("\r") for line in read_list(name).removeprefix("\ufeff").split("\n")]
    return [
        _Typed(line, f"{shown}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.startswith("#")
    ]


def _found(typed: _Typed, stores: dict[str, S3Store]) -> _Found:
    return _found_in_s3(typed, stores) if is_s3(typed.text) else _found_here(typed)


def _found_in_s3(typed: _Typed, stores: dict[str, S3Store]) -> _Found:
    """Checks in S3 whether a key exists only if it was typed: keys of a list are looked up later, all at once."""
    bucket, key = s3_parts(typed.text)
    is_file = key.lower().endswith(_ENDINGS)
    if not key or key.endswith("/"):
        return _Found("folder", bucket, key)
    if typed.where:
        return _Found("file" if is_file else "folder", bucket, key if is_file else key + "/")
    store = stores.setdefault(bucket, S3Store(bucket, ""))
    if _is_object(store, key):
        return _Found("file", bucket, key)
    if WILD & set(key):
        return _Found("pattern", bucket, key)
    if is_file and not any(True for _ in store.list(key + "/")):
        folder = key[: key.rfind("/") + 1]
        there = [entry.key for entry in islice(store.list(folder, deep=False), MOST_COMPARED)]
        raise NotFound(
            f"There is no {typed.text}.", _near_miss(key, there, f"s3://{bucket}/", f"List s3://{bucket}/{folder} .")
        )
    return _Found("folder", bucket, key + "/")


def _is_object(store: S3Store, key: str) -> bool:
    try:
        return store.head(key) is not None
    except AccessDenied:  # S3's response for a missing key if the credentials do not allow to list
        return False


def _found_here(typed: _Typed) -> _Found:
    path = local_path(typed.text)
    key = name_to_key(str(path)).lstrip("/")
    if path.is_file() or path.is_symlink():
        return _Found("folder", "", f"{key}/") if path.is_dir() else _Found("file", "", key)
    if path.is_dir():
        return _Found("folder", "", f"{key}/" if key else "")
    if not typed.where and WILD & set(key):
        base = Path("/" + folder_of(key))
        if not base.is_dir():
            raise NotFound(f"There is no folder {base}, so nothing matches {typed.text}.", "Check the path.")
        return _Found("pattern", "", key)
    if path.exists():
        raise UsageError(f"{typed.text!r} is neither a file nor a folder.", "Give a PDF, a picture or a folder.")
    where = f" ({typed.where})" if typed.where else ""
    raise NotFound(f"There is no file or folder {path}{where}.", _hint_here(path, typed))


def _hint_here(path: Path, typed: _Typed) -> str:
    try:
        there = [str(each) for each in islice(path.parent.iterdir(), MOST_COMPARED)] if path.parent.is_dir() else []
    except OSError:
        there = []
    listed = "Correct or remove the line; paths are relative to the current folder." if typed.where else ""
    return _near_miss(str(path), there, "", listed or "Check the path.")


def _near_miss(wanted: str, there: Sequence[str], before: str, otherwise: str) -> str:
    """Returns a hint with the most similar name in the same folder."""
    names = {path.rpartition("/")[2].casefold(): path for path in there}
    close = difflib.get_close_matches(wanted.rpartition("/")[2].casefold(), names, n=1, cutoff=0.75)
    return f"Did you mean {before}{names[close[0]]} ?" if close else otherwise


def _check_one_place(buckets: Sequence[str]) -> None:
    """Checks that all inputs are in one bucket, or all local ("" in `buckets`)."""
    if len(buckets) > 1 and "" in buckets:
        raise UsageError(
            "Some inputs are in S3 and some on this machine; one run can read only one of them.",
            "Run once for each, with separate outputs.",
        )
    if len(buckets) > 1:
        raise UsageError(
            f"The inputs are in {len(buckets)} buckets ({', '.join(buckets[:MOST_SHOWN])}); one run can read only one.",
            "Run once for each bucket, with separate outputs.",
        )


def _known_root(known: str, bucket: str, root: str) -> str:
    """Returns the root that this output's keys are already relative to, if all inputs are below it, else `root`."""
    here = f"s3://{bucket}/" if bucket else "/"
    if not known.startswith(here) or (not bucket and is_s3(known)):
        return root
    before = known.removeprefix(here)
    return before if root.startswith(before) else root


def _below(source: Store, output: Store | None) -> str:
    """Returns the output's folder as a key of the source; "" if it is elsewhere or the source itself."""
    if output is None or not inside(output, source):
        return ""
    if isinstance(source, S3Store) and isinstance(output, S3Store):
        return output.prefix.removeprefix(source.prefix)
    if isinstance(source, LocalStore) and isinstance(output, LocalStore):
        below = output.root.resolve().relative_to(source.root.resolve())
        return "" if below == Path() else f"{name_to_key(below.as_posix())}/"
    return ""
