"""Addresses that links and figures lead to, so that Markdown takes them whole. Pure."""

from __future__ import annotations

import re

from pdfbatch.markdown.escape import is_entity

_UNSAFE = re.compile(r"[\x00-\x20\x7f<>\\|`\s]")
_SCRIPT = re.compile(r"\s*(?:javascript|vbscript|data|file):", re.IGNORECASE)
_AUTOLINK = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>`\x00-\x20\x7f]+")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_BARE = re.compile(r"\b(?:https?|ftp)://[^\s<>`]+")
_NEEDS_ESCAPE = re.compile(r"[\\*~$]|_(?![^\W_])|(?<![^\W_])_|\]\(")


def leads_somewhere(uri: str) -> bool:
    """Whether a link is written at all: scripts and files of the author's machine are not."""
    return bool(uri.strip()) and _SCRIPT.match(uri) is None


def destination(uri: str) -> str:
    """Between the brackets of `[…](…)`: blanks and signs that would end it percent-encoded."""
    uri = _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match.group().encode()), uri.strip())
    if not _is_balanced(uri):
        uri = uri.replace("(", "%28").replace(")", "%29")
    return uri.replace("&", "&amp;") if is_entity(uri) else uri


def autolink(text: str, uri: str) -> str:
    """`<uri>` where that shows `text` and leads to `uri`; else ""."""
    if is_entity(uri):
        return ""
    if text == uri and _AUTOLINK.fullmatch(uri):
        return f"<{uri}>"
    return f"<{text}>" if uri == f"mailto:{text}" and _EMAIL.fullmatch(text) and "`" not in text else ""


def cut_at_addresses(text: str) -> list[tuple[str, str]]:
    """The text in order, as (text, "") or (address, its autolink).

    Only addresses that would need backslashes are cut out: GFM links bare addresses, and shows the backslashes.
    """
    parts: list[tuple[str, str]] = []
    done = 0
    for match in _BARE.finditer(text) if "://" in text else ():
        address = _without_end(match.group())
        link = autolink(address, address) if _NEEDS_ESCAPE.search(address) else ""
        if link:
            parts += [(text[done : match.start()], ""), (address, link)]
            done = match.start() + len(address)
    parts.append((text[done:], ""))
    return [part for part in parts if part[0]]


def _without_end(address: str) -> str:
    """Without the sentence's signs behind it; a bracket belongs to it if it was opened in it."""
    while address:
        end = address[-1]
        opening = {")": "(", "]": "["}.get(end, "")
        is_foreign = address.count(end) > address.count(opening) if opening else end in "?!.,:;*_~'\""
        if not is_foreign:
            break
        address = address[:-1]
    return address


def _is_balanced(uri: str) -> bool:
    depth = 0
    for sign in re.findall(r"[()]", uri):
        depth += 1 if sign == "(" else -1
        if depth < 0:
            return False
    return depth == 0
