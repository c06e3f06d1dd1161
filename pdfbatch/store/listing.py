"""Lists a large S3 prefix in parallel, in the order of its keys.

A listing is a chain: each page needs the one before. So the keys ahead are cut into ranges at guessed keys, and the
ranges are listed at the same time. A guess continues what a page has shown: after 1,000 keys from doc-0001 to doc-0011,
the next ranges begin at doc-0041, doc-0071, … It need not be right: an empty range costs a request, and a long one is
cut again. If too many are empty, or the server ignores where a range should begin, the chain goes on alone.

Keys are compared as text: code points sort as S3 does, by UTF-8 bytes.
"""

from __future__ import annotations

import string
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from pdfbatch.store.contract import Entry

IN_FLIGHT = 16
MOST_PAGES = 64
"""Pages that are held or asked for before they are needed: about 15 MB."""
PAGES_IN_A_RANGE = 3
_FEW_EMPTY = 16
"""So many guesses may be wrong, and one more for every fourth page."""
_KINDS = ((string.digits,), ("abcdef", string.ascii_lowercase), ("ABCDEF", string.ascii_uppercase))
"""Characters that keys count with, the smaller set first."""


class Page(NamedTuple):
    """`first`, `last`: of all keys in the answer, "" if there are none. `token`: of the next page, "" if there is none.
    `folders`: only in a listing that does not enter them."""

    entries: Sequence[Entry]
    first: str
    last: str
    token: str
    folders: Sequence[str] = ()


class _Ignored(Exception):
    """The server does not begin a page where it is asked to."""


class Answer(NamedTuple):
    """What S3 answers to ListObjectsV2."""

    rows: Sequence[tuple[str, int, str]]
    """Key, size and ETag of each object."""
    folders: Sequence[str]
    token: str


ANSWER = "PdfbatchAnswer"
"""Where `take_answer` leaves an `Answer`."""


def take_answer(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Reads the answer to ListObjectsV2 in botocore's place, for its event `before-parse`: botocore takes 0.1 ms for
    each object, most of it for a date that nobody reads. What is not a listing is left to botocore."""
    if response_dict["status_code"] >= 300:
        return
    try:
        root = ElementTree.fromstring(response_dict["body"])
        if not root.tag.endswith("ListBucketResult"):
            return
        space = root.tag.removesuffix("ListBucketResult")
        decoded = unquote_plus if root.findtext(space + "EncodingType") == "url" else str
        keys, sizes, etags = ([each.text or "" for each in root.iter(space + name)] for name in ("Key", "Size", "ETag"))
        rows = [(decoded(key), int(size), etag.strip('"')) for key, size, etag in zip(keys, sizes, etags, strict=True)]
    except (ElementTree.ParseError, ValueError):
        return
    folders = [decoded(each.findtext(space + "Prefix") or "") for each in root.iter(space + "CommonPrefixes")]
    token = root.findtext(space + "NextContinuationToken") or ""
    customized_response_dict[ANSWER] = Answer(rows, folders, token)
    response_dict["body"] = b"<ListBucketResult/>"


Fetch = Callable[[str, str], Page]
"""(key after which to begin, token to continue with) → a page; both "" for the first page."""


@dataclass
class _Range:
    """The keys after `after`, up to and including `end` (None: all that follow)."""

    after: str
    end: str | None = None
    token: str = ""
    is_long: bool = False
    """Whether more is left than a guess allowed for."""
    fetched: int = 0
    shown: Sequence[Entry] = ()
    """Its newest page."""
    pages: deque[Sequence[Entry]] = field(default_factory=deque)
    running: Future[Page] | None = None
    is_complete: bool = False


def pages(fetch: Fetch) -> Iterator[Sequence[Entry]]:
    """Yields the entries page by page. One page costs one request, on the caller's thread."""
    first = fetch("", "")
    yield first.entries
    if not first.token:
        return
    last = first.last
    threads = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="list")
    try:
        for entries in _Listing(fetch, threads, first).rest():
            last = entries[-1].key
            yield entries
    except _Ignored:
        yield from _chain(fetch, last)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _chain(fetch: Fetch, after: str) -> Iterator[Sequence[Entry]]:
    """Yields page after page from the start, without what is not after a key."""
    token = ""
    while True:
        page = fetch("", token)
        yield [entry for entry in page.entries if entry.key > after]
        token = page.token
        if not token:
            return


class _Listing:
    """A listing in progress: its ranges, in order."""

    def __init__(self, fetch: Fetch, threads: ThreadPoolExecutor, first: Page) -> None:
        self._fetch = fetch
        self._threads = threads
        tail = _Range(first.last, token=first.token, is_long=True, fetched=1, shown=first.entries)
        self._ranges: deque[_Range] = deque([tail])
        self._full = 1
        self._empty = 0

    def rest(self) -> Iterator[Sequence[Entry]]:
        while self._ranges:
            front = self._ranges[0]
            if front.pages:
                yield front.pages.popleft()
            elif front.is_complete:
                self._ranges.popleft()
            else:
                self._ask()
                wait([each.running for each in self._ranges if each.running], return_when=FIRST_COMPLETED)
            for each in [each for each in self._ranges if each.running and each.running.done()]:
                self._take(each)
            if self._ranges:
                self._ask()

    def _ask(self) -> None:
        """Sends as many requests as may run, for the foremost ranges."""
        running = sum(each.running is not None for each in self._ranges)
        held = running + sum(len(each.pages) for each in self._ranges)
        idle = sum(each.running is None and not each.is_complete for each in self._ranges)
        self._cut(IN_FLIGHT - running - idle)
        for each in list(self._ranges):
            is_needed = each is self._ranges[0] and not each.pages
            if each.running or each.is_complete or (held >= MOST_PAGES and not is_needed):
                continue
            if running >= IN_FLIGHT:
                return
            each.running = self._threads.submit(self._fetch, "" if each.token else each.after, each.token)
            running, held = running + 1, held + 1

    def _cut(self, most: int) -> None:
        """Cuts the first long range into up to `most` more."""
        if most <= 0 or self._empty > _FEW_EMPTY + self._full // 4:
            return
        for at, each in enumerate(self._ranges):
            if each.is_long and each.shown and not each.is_complete:
                cuts = guesses([entry.key for entry in each.shown], most)
                cuts = [cut for cut in cuts if each.end is None or cut < each.end]
                if cuts:
                    parts = [_Range(a, b) for a, b in zip(cuts, [*cuts[1:], each.end], strict=True)]
                    parts[-1].is_long = True
                    each.end = cuts[0]
                    for part in reversed(parts):
                        self._ranges.insert(at + 1, part)
                each.is_long = False
                return

    def _take(self, each: _Range) -> None:
        """Keeps the answer to a range's request."""
        if each.running is None:
            return
        page, each.running = each.running.result(), None
        if not each.token and page.first and page.first <= each.after:
            raise _Ignored
        wanted = page.entries if each.end is None else [entry for entry in page.entries if entry.key <= each.end]
        each.token, each.fetched = page.token, each.fetched + 1
        each.is_complete = not page.token or (each.end is not None and page.last > each.end)
        if wanted:
            each.pages.append(wanted)
            each.shown = wanted
            each.is_long = each.is_long or each.fetched > PAGES_IN_A_RANGE
            self._full += 1
        else:
            self._empty += 1


def guesses(keys: Sequence[str], most: int) -> list[str]:
    """Returns up to `most` keys, ascending, that follow the page `keys` at about equal distances."""
    first, last = keys[0], keys[-1]
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    depth = _depth(keys, same)
    alphabet = _alphabet([key[same:depth] for key in keys])
    if not alphabet:
        return []
    shown = _number(last[same:depth], alphabet) - _number(first[same:depth], alphabet)
    step = PAGES_IN_A_RANGE * max(1, shown + 1)
    found: list[str] = []
    following = _advanced(last[:depth], step, alphabet)
    while following is not None and len(found) < most:
        found.append(following)
        following = _advanced(following, step, alphabet)
    return found


def _depth(keys: Sequence[str], same: int) -> int:
    """Returns how many characters of the keys to count with: enough to tell eight parts of the page apart."""
    return next((depth for depth in range(same + 1, same + 4) if len({key[:depth] for key in keys}) >= 8), same + 3)


def _alphabet(parts: Sequence[str]) -> str:
    """Returns the characters that keys seem to count with, in order: those seen, and the rest of their kind."""
    columns = [set(column) for column in zip(*(part.ljust(3, "\0")[:3] for part in parts), strict=True)]
    seen = {sign for column in columns if len(column) > 1 for sign in column} - {"\0"}
    for kinds in _KINDS:
        if mine := seen & set(kinds[-1]):
            seen |= next(set(kind) for kind in kinds if mine <= set(kind))
    return "".join(sorted(seen))


def _number(part: str, alphabet: str) -> int:
    value = 0
    for sign in part:
        if sign in alphabet:
            value = value * len(alphabet) + alphabet.index(sign)
    return value


def _advanced(key: str, step: int, alphabet: str) -> str | None:
    """Counts a key up by `step`, as an odometer does; other characters stay. None if it has run over."""
    signs = list(key)
    for at in range(len(signs) - 1, -1, -1):
        if signs[at] in alphabet:
            step, rest = divmod(alphabet.index(signs[at]) + step, len(alphabet))
            signs[at] = alphabet[rest]
        if not step:
            return "".join(signs)
    return None
