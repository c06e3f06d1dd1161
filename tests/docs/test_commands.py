"""Commands in README and manual exist and parse; those that need only this computer also run."""

import re
import shlex
from pathlib import Path

import pytest

from docs.generate.commands import all_commands
from pdfbatch.cli.examples import EXAMPLES
from pdfbatch.errors import ExitCode
from pdfbatch.records import Reason
from samples import odd
from samples.many import many_pdfs
from tests.docs.lines import PAGES, ROOT, calls, check, inline, is_local, options, prompts
from tests.program import Program

OF_OTHERS = {"--time", "--extra-index-url", "--from", "--read-only"}
"""Options of docker, pip and uvx that pages name on their own."""


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_parses_and_every_option_exists(page: Path) -> None:
    text = page.read_text()
    for arguments in calls(text):
        check(arguments)
    named = {code.split()[0] for code in inline(text) if code.startswith("--")}
    assert named - OF_OTHERS <= options()


def test_a_wrong_command_in_a_page_is_found() -> None:
    wrong = "```console\n$ pdfbatch local-run a b --fast # comment\n```\nand `pdfbatch report`, `pdfbatch statsu out`\n"
    first, named, misspelt = calls(wrong)
    check(named)
    with pytest.raises(Exception, match="--fast"):
        check(first)
    with pytest.raises(KeyError):
        check(misspelt)


def test_every_command_has_an_example_that_parses() -> None:
    shown = {name for name, command in all_commands().items() if not command.hidden}
    assert EXAMPLES.keys() == shown
    for name, lines in EXAMPLES.items():
        for line in lines:
            (words,) = calls(f"`{line}`")
            assert " ".join(words).startswith(f"{name} ") or words == [name]
            check(words)


def test_stars_in_help_are_in_code_so_that_markdown_keeps_them() -> None:
    params = [param for command in all_commands().values() for param in command.params if param.help]
    assert [param.help for param in params if "*" in re.sub(r"`[^`]*`", "", param.help)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [line for line in [*prompts(page.read_text()), *inline(page.read_text())] if line.startswith("make ")]
    named = {word for line in lines for word in shlex.split(line)[1:] if re.fullmatch(r"[a-z-]+", word)}
    assert named <= targets


def test_every_reason_and_every_exit_code_is_explained() -> None:
    reasons, commands = ((ROOT / "docs" / name).read_text() for name in ("reasons.md", "commands.md"))
    assert {reason for reason in Reason if f"| `{reason}` |" not in reasons} == set()
    assert {code for code in ExitCode if f"| {int(code)} |" not in commands} == set()


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/cookbook.md"])
def test_the_commands_that_need_only_this_computer_work_in_their_order(
    page: str, tmp_path: Path, pdfbatch: Program
) -> None:
    many_pdfs(tmp_path / "papers", 3)
    (tmp_path / "passwords.txt").write_text("not this one\n")
    (tmp_path / "marked-pages.tsv").write_text("a.pdf\t1\n")  # as `view` keeps it
    (tmp_path / "papers" / "a.pdf").write_bytes(odd.text_page())
    local = [arguments for arguments in calls((ROOT / page).read_text()) if len(arguments) > 1 and is_local(arguments)]
    assert len(local) >= 3
    for arguments in local:
        expanded = [word.replace("~", str(tmp_path)) for word in arguments]
        ended = pdfbatch(*expanded, folder=tmp_path, HOME=str(tmp_path))
        assert ended.returncode in (ExitCode.DONE, ExitCode.SOME_DOCUMENTS_FAILED), (arguments, ended.stderr)
