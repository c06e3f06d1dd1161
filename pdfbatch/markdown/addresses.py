"""Write the addresses of links and figures so that Markdown parses them whole. Pure."""

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
    """Whether a link should be written: not scripts, and not files on the author's computer."""
    return bool(uri.strip()) and _SCRIPT.match(uri) is None


def destination(uri: str) -> str:
    """The destination of `[…](…)`, with white space and characters that would end it percent-encoded."""
    uri = _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match.group().encode()), uri.strip())
    if not _is_balanced(uri):
        uri = uri.replace("(", "%28").replace(")", "%29")
    return uri.replace("&", "&amp;") if is_entity(uri) else uri


def autolink(text: str, uri: str) -> str:
    """`<uri>` if that shows `text` and links to `uri`; else ""."""
    if is_entity(uri):
        return ""
    if text == uri and _AUTOLINK.fullmatch(uri):
        return f"<{uri}>"
    return f"<{text}>" if uri == f"mailto:{text}" and _EMAIL.fullmatch(text) and "`" not in text else ""


def cut_at_addresses(text: str) -> list[tuple[str, str]]:
    """Splits the text into (text, "") and (address, its autolink).

    Only addresses that would need backslashes are split off: GFM links bare addresses, and would show the backslashes.
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
    """The address without the sentence's punctuation; a closing bracket stays if it is opened in the address."""
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
