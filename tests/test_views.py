"""What people see, as text, at the widths they have."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from pdfbatch import views
from pdfbatch.errors import UsageError
from pdfbatch.records import Counts, Heartbeat, Outcome, Reason
from pdfbatch.runs.progress import DocumentCounts, PageCounts, RunStatus, WorkerStatus
from pdfbatch.runs.savings import Savings
from pdfbatch.runs.verify import Verdict
from pdfbatch.views.bar import ProgressLine

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
BEAT = Heartbeat(
    worker=0,
    state="running",
    counts=Counts(total=1200, ok=400, failed=3, pages_read=5210, reasons={"encrypted": 2, "corrupt": 1}),
    pages_per_second=4.26,
    eta_seconds=3725,
    seconds=61,
    started="2026-01-01T00:00:00Z",
    at="2026-01-01T00:01:01Z",
    reading=["2024/a very long name of a paper that goes on and on until no terminal can hold it any more.pdf p. 12"],
)
STATUS = RunStatus(
    run="20260101T000000.000Z-abcd",
    input="in/",
    output="out/",
    state="running",
    documents=DocumentCounts(total=1200, done=403, ok=400, partial=1, failed=2),
    pages=PageCounts(read=5210, failed=7, resumed=12),
    reasons={"encrypted": 2, "timeout": 1},
    workers=[
        WorkerStatus(
            id=0, state="running", done=403, total=600, failed=2, partial=1, pages=5210, heartbeat_age_seconds=4
        ),
        WorkerStatus(id=1, state="running", done=0, total=600, heartbeat_age_seconds=300, stale=True),
    ],
    seconds=1300,
)

FAILED = Outcome(
    key="a.pdf",
    outcome="partial",
    reason=Reason.TIMEOUT,
    pages=9,
    failed_pages=[(2, Reason.TIMEOUT), (3, Reason.TIMEOUT)],
    detail="took longer than its deadline and was killed",
)


def text(what: RenderableType, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_live_screen_fits_its_terminal_and_shows_everything(width: int) -> None:
    screen = text(views.live(BEAT, NOW), width)
    assert all(len(line) <= width for line in screen.splitlines())
    for expected in (
        "RUNNING ━",
        "403/1,200 documents  33 %",
        "1m01s elapsed · done about 13:02 UTC · 5,210 pages",
        "4.3 pages/s",
        "failed   encrypted 2, corrupt 1",
        "reading  2024/",
    ):
        assert expected in screen


def test_the_plain_line_is_one_line_for_logs() -> None:
    assert views.plain_line(BEAT) == (
        "1m01s | 403/1200 documents | 5,210 pages | 4.3 pages/s | ETA 1h02m | encrypted 2, corrupt 1"
    )


@pytest.mark.parametrize("width", [80, 120])
def test_status_flags_a_stale_worker_and_adds_up(width: int) -> None:
    screen = text(views.status_screen(STATUS, NOW), width)
    assert all(len(line) <= width for line in screen.splitlines())
    assert "stale" in screen and "5m00s ago" in screen
    assert "403/1,200 documents  33 %" in screen and "400 ok, 1 partial, 2 failed" in screen


def test_the_closing_screen_shows_where_to_look_and_what_to_type() -> None:
    screen = text(views.closing(STATUS, [FAILED], "pdfbatch verify out/"), 100)
    for expected in (
        "RUNNING  400 ok, 1 partial, 2 failed, 797 left",
        "encrypted 2, timeout 1",
        "5,210 read, 7 failed · in 21m40s · 12 from an earlier session",
        "Markdown out/",
        "next:    pdfbatch verify out/",
    ):
        assert expected in screen
    assert "a.pdf  timeout: took longer than its deadline and was killed, 2 of 9 pages" in screen


def test_a_closing_screen_with_many_failures_fits_24_lines_and_names_the_command_for_the_rest() -> None:
    screen = text(views.closing(STATUS, [FAILED] * 40, "pdfbatch verify out/"), 80)
    assert len(screen.splitlines()) <= 23
    assert "35 more: pdfbatch report --failures out/" in screen


def test_a_verdict_names_the_first_keys_of_each_finding() -> None:
    many = [f"{number}.pdf" for number in range(25)]
    verdict = Verdict(
        input="in/",
        output="out/",
        inputs=30,
        ok=5,
        partial=0,
        failed=0,
        no_outcome=many,
        lost=[],
        wrong_pages=["x.pdf"],
        changed=[],
        stale=[],
        missing=[],
        orphans=[],
        lost_figures=[],
    )
    screen = text(views.verdict_screen(verdict), 200)
    assert "25 without an outcome: 0.pdf, 1.pdf" in screen and "15 more" in screen
    assert (
        "1 whose Markdown lacks pages, or has others: x.pdf" in screen
        and "Incomplete: 25 of 30 not yet tried" in screen
    )


def test_a_verdict_shows_a_fix_for_each_finding_and_names_foreign_markdown_once() -> None:
    verdict = Verdict(
        input="in/",
        output="out/",
        inputs=5,
        ok=4,
        partial=0,
        failed=0,
        no_outcome=["foreign.pdf"],
        foreign=["foreign.pdf"],
        lost=["lost.pdf"],
        wrong_pages=["pages.pdf"],
        lost_figures=["figures.pdf"],
        changed=["changed.pdf"],
        stale=[],
        missing=[],
        orphans=["foreign.md", "orphan.md"],
    )
    screen = text(views.verdict_screen(verdict), 200)
    assert "delete figures.md, foreign.md, pages.md in out/, then run the same command again\n" in screen
    assert "run the same command again to restore the missing Markdown\n" in screen
    assert "--changed" in screen and "unfinished" not in screen
    assert "1 Markdown without an input: orphan.md\n" in screen


def test_paths_and_commands_are_not_broken_over_lines() -> None:
    command = f"pdfbatch verify /{'long/' * 30}"
    shown = io.StringIO()
    Console(file=shown, width=80).print(views.closing(STATUS, [FAILED], command), crop=False)
    assert f"next:    {command}\n" in shown.getvalue()


def test_the_closing_screen_of_a_run_that_never_started_has_no_empty_id() -> None:
    assert text(views.closing(STATUS.model_copy(update={"run": ""}), [], ""), 80).startswith("Nothing to do  ")


def test_a_stop_says_what_it_waits_for() -> None:
    draining = BEAT.model_copy(update={"state": "draining"})
    assert "Ctrl-C again to quit at once" in text(views.live(draining, NOW), 80)
    assert "Ctrl-C" not in text(views.live(BEAT, NOW), 80)


def test_an_error_is_its_message_and_the_next_step() -> None:
    error = UsageError("Worker 3 is out of range.", "Give --worker-id between 0 and 2.")
    assert (
        text(views.error_text(error), 100)
        == "error: Worker 3 is out of range.\n  try: Give --worker-id between 0 and 2.\n"
    )


@pytest.mark.parametrize(
    ("seconds", "shown"), [(None, "–"), (0, "0s"), (61, "1m01s"), (3725.4, "1h02m"), (90000, "25h00m")]
)
def test_durations_are_short(seconds: float | None, shown: str) -> None:
    assert views.duration(seconds) == shown


@pytest.mark.parametrize(
    ("hours", "shown"),
    [(1, "13:00 UTC"), (11.99, "23:59 UTC"), (12, "Fri 02 Jan 00:00 UTC"), (30, "Fri 02 Jan 18:00 UTC")],
)
def test_a_time_on_another_day_has_its_date(hours: float, shown: str) -> None:
    assert views.clock(NOW + timedelta(hours=hours), NOW) == shown


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [40, 80, 300])
def test_progress_is_one_line_and_its_bar_uses_characters_the_terminal_has(encoding: str, width: int) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    Console(file=stream, width=width).print(ProgressLine(Text("RUNNING"), 1, 2, "page", "0.1 pages/s"))
    stream.seek(0)
    line = stream.read().rstrip("\n")
    assert "\n" not in line and len(line) <= width
    assert ("#" in line and "-" in line) if encoding == "ascii" else ("━" in line and "─" in line)


@pytest.mark.parametrize(
    ("engine", "read_by", "wanted"),
    [
        ("cpu", {"text": 120, "ocr": 14}, "text layer 120, OCR 14"),
        ("dolphin", {"dolphin": 9, "blank": 1}, "dolphin 9, blank 1"),
        ("auto", {"text": 7, "blank": 1, "dolphin": 2}, "text layer 7, blank 1, dolphin 2; 80 % of the pages did not"),
        ("auto", {"dolphin": 2}, "dolphin 2"),
        (
            "auto",
            {"text": 5000, "mixed": 3000, "dolphin": 2000},
            "text layer 5,000, text layer and model 3,000 (7 elements by the model), dolphin 2,000; 50 % of the pages",
        ),
        ("auto", {"mixed": 2}, "text layer and model 2 (7 elements by the model)"),
    ],
)
def test_the_closing_screen_says_how_pages_were_read_and_what_that_saved(
    engine: str, read_by: dict[str, int], wanted: str
) -> None:
    shown = views.readers(read_by, engine, elements=7)
    assert shown.startswith(wanted) and ("need the model" in shown) == ("%" in wanted)


@pytest.mark.parametrize(
    ("saved", "shown"),
    [
        (None, "unknown: the model read no whole page to compare with"),
        (
            Savings(share=0.623, model_seconds=3725.0),
            "about 62 % of the model's work, 1h02m of its time, compared with",
        ),
        (
            Savings(share=0.5, model_seconds=60.0, dollars=0.0042),
            "about 50 % of the model's work, 1m00s of its time, $0.004, compared with reading every page",
        ),
    ],
)
def test_what_text_layers_saved_is_shown_as_an_estimate(saved: Savings | None, shown: str) -> None:
    assert views.spared(saved).startswith(shown)


@pytest.mark.parametrize(
    ("dollars", "shown"),
    [(None, "–"), (0, "$0.00"), (0.0002, "<$0.001"), (0.0421, "$0.042"), (0.1, "$0.10"), (1234.5, "$1,234.50")],
)
def test_money_has_cents_and_tenths_of_cents_below_ten_cents(dollars: float | None, shown: str) -> None:
    assert views.money(dollars) == shown
