"""Names that try to steer a terminal, a mail or a shell: converted, or a clear failure, and never shown raw."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pdfbatch import views
from pdfbatch.cli.console import _Console
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import Outcome, Reason
from pdfbatch.views import failure_line, some
from pdfbatch.visible import visible
from samples.many import many_pdfs
from tests.program import Ended, Program, own_process

UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
STEMS = {
    "two\nlines": "a newline",
    "title\x1b]0;owned\x07": "a sequence that sets the title of a terminal",
    "red\x1b[31mtext\x1b[2J": "a sequence that clears the screen",
    "c1\x9b31m\x90q": "controls of the 8-bit kind",
    "invoice\u202efdp.exe": "a right-to-left override",
    "isolate\u2066x\u2069": "an isolate",
    "zero\u200bwidth\ufeff": "characters that cannot be seen",
    "line\u2028paragraph\u2029": "separators",
    "tag\U000e0041": "a tag above U+FFFF",
    "$(touch owned)": "a command",
    "`touch owned`; touch owned": "two commands",
    "'\"\\ \t": "quotes",
    "-rf": "an option",
    "[bold]x[b]": "markup of Rich",
    ":smile:": "an emoji code",
    "<script>alert(1)": "a script",
    "caf\u00e9": "composed",
    "cafe\u0301": "decomposed",
    "Case": "upper",
    "case": "lower",
    "n" * 250: "as long as the name of a document can be",
}


def unseen(text: str) -> set[str]:
    """The characters of a text that must not be shown, besides those of its layout."""
    return {char for char in text if unicodedata.category(char) in UNSEEN and char not in "\n\t"}


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Ended]:
    """A folder of hostile names, good and broken PDFs, its output, and how the run ended."""
    folder = tmp_path_factory.mktemp("names")
    source, out = folder / "in", folder / "out"
    page = many_pdfs(folder / "made", 1)[0].read_bytes()
    source.mkdir()
    for stem in STEMS:
        (source / f"{stem}.pdf").write_bytes(page)
        (source / f"{stem[:244]}-empty.pdf").write_bytes(b"")
    return source, out, own_process("local-run", source, out, "--engine", "null", folder=folder)


@pytest.mark.slow
def test_every_hostile_name_ends_with_an_outcome(converted: tuple[Path, Path, Ended]) -> None:
    source, out, ended = converted
    assert ended.returncode == 3, ended.stderr
    told = [json.loads(line) for line in own_process("status", out, "--jsonl").stdout.splitlines()]
    assert {line["key"] for line in told} == {path.name for path in source.iterdir()}
    assert {line["reason"] for line in told if line["outcome"] != "ok"} == {"empty_file"}
    assert sum(line["outcome"] == "ok" for line in told) == len(STEMS)
    assert all((out / f"{stem}.md").exists() for stem in STEMS)
    assert not list(source.parent.rglob("owned")), "a name was run as a command"


def test_a_name_at_the_limit_of_the_file_system_has_its_markdown(converted: tuple[Path, Path, Ended]) -> None:
    assert (converted[1] / ("n" * 250 + ".md")).stat().st_size > 0


SCREENS = {
    "status": ["status"],
    "report": ["report"],
    "failures": ["report", "--failures"],
    "verify": ["verify"],
    "runs": ["runs"],
    "retry": ["retry-failures", "--local", "--engine", "null"],
}


@pytest.mark.parametrize("screen", SCREENS)
def test_no_screen_shows_a_name_raw(converted: tuple[Path, Path, Ended], pdfbatch: Program, screen: str) -> None:
    ended = pdfbatch(*SCREENS[screen], converted[1])
    assert unseen(ended.stdout + ended.stderr) == set()
    assert unseen(converted[2].stdout + converted[2].stderr) == set()


def test_a_name_is_shown_on_one_line_as_it_is_written(converted: tuple[Path, Path, Ended], pdfbatch: Program) -> None:
    shown = pdfbatch("report", "--failures", converted[1]).stdout
    for name in (
        "two\\u000alines-empty.pdf",
        "invoice\\u202efdp.exe-empty.pdf",
        "[bold]x[b]-empty.pdf",
        ":smile:-empty",
    ):
        assert name in shown


@pytest.mark.parametrize("command", [["status"], ["report"], ["report", "--failures"], ["verify"], ["runs"]])
def test_json_of_hostile_names_is_json_of_the_same_names(
    converted: tuple[Path, Path, Ended], pdfbatch: Program, command: list[str]
) -> None:
    ended = pdfbatch(*command, converted[1], "--json")
    assert unseen(ended.stdout) == set()
    told = json.loads(ended.stdout)
    if "--failures" in command:
        assert {each["key"] for each in told["failures"]} == {f"{stem[:244]}-empty.pdf" for stem in STEMS}


@pytest.mark.parametrize(
    "command", [["status"], ["report", "--failures"], ["verify"], ["report", "--failures", "--json"]]
)
def test_a_terminal_gets_no_sequence_from_a_name(converted: tuple[Path, Path, Ended], command: list[str]) -> None:
    shown = on_a_terminal([*command, str(converted[1])])
    ours = re.sub(r"\x1b\[[0-9;]*m", "", shown.replace("\r\n", "\n"))
    assert unseen(ours) == set()
    assert "31mtext" not in shown.replace("\\u001b[31mtext", "")


@pytest.mark.slow
def test_a_run_on_a_terminal_shows_no_name_raw(converted: tuple[Path, Path, Ended], tmp_path: Path) -> None:
    shown = on_a_terminal(["local-run", str(converted[0]), str(tmp_path / "out"), "--engine", "null"])
    assert not {"\x07", "\x9b", "\u202e", "\u2066", "\u200b", "\U000e0041"} & set(shown)
    assert "\x1b]0;" not in shown and "\x1b[31m" not in shown


def on_a_terminal(words: list[str]) -> str:
    """What a command writes to a terminal of 120 columns."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    command = [sys.executable, "-m", "pdfbatch.cli", *words]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the end, on Linux
                break
            if not part:
                break
            shown += part
        process.wait(120)
    os.close(ours)
    return shown.decode("utf-8", "replace")


ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=40)


@given(ANY_TEXT)
@example("\x1b[31m\x9b\u202e\u2066\ud800\U000e0001\x7f")
def test_visible_text_holds_nothing_unseen_and_can_be_read_back_as_json(text: str) -> None:
    shown = visible(text)
    assert unseen(shown) == set() and "\n" not in shown
    assert visible(shown) == shown
    if not any(unicodedata.category(char) == "Cs" for char in text):
        document = json.dumps({"key": text}, ensure_ascii=False)
        assert json.loads(visible(document)) == {"key": text}


@given(ANY_TEXT, ANY_TEXT)
def test_no_screen_of_any_key_and_message_holds_anything_unseen(key: str, detail: str) -> None:
    outcome = Outcome.model_construct(
        key=key, outcome="failed", reason=Reason.CORRUPT, detail=detail, pages=1, failed_pages=[]
    )
    for what in (failure_line(outcome), views.error_text(PdfbatchError(key, detail)), some([key, detail])):
        console = _Console(stderr=False, width=80)
        with console.capture() as shown:
            console.print(what, soft_wrap=True)
        assert unseen(shown.get()) == set()


@given(ANY_TEXT)
def test_the_console_escapes_what_a_view_forgot(text: str) -> None:
    console = _Console(stderr=False, width=80)
    with console.capture() as shown:
        console.print(text)
    assert unseen(shown.get()) == set()
