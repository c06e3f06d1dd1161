"""A fleet's run as people see it: the table at its widths, watching it, and the report."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from pdfbatch import views
from pdfbatch.errors import StoreError
from pdfbatch.records import Manifest, ModelUse, RunKeys
from pdfbatch.runs.past import PastRun, PastRuns
from pdfbatch.runs.progress import DocumentCounts, PageCounts, RunStatus, read_status
from pdfbatch.runs.report import Report, Retried, Spent, Waste
from pdfbatch.runs.savings import Savings
from pdfbatch.store import Entry
from pdfbatch.store.local import LocalStore
from tests.frozen import manifest_of
from tests.runs.fleets import RUN, Story, fleet, minute
from tests.test_views import NOW, STATUS, text


def manifest(workers: int) -> Manifest:
    return manifest_of(100 * workers, workers, run=RUN, engine="dolphin")


def five_workers(store: LocalStore) -> RunStatus:
    """One runs, one runs on its second instance, one drains, one boots as a replacement, one gave up."""
    store.put(RunKeys(RUN).fleet, fleet(hours=48).model_dump_json().encode())
    stories = [
        Story(0).boots_at(3, "i-0a1b2c3d4e5f60718").beats(6, 100, done=60),
        Story(1)
        .boots_at(3, "i-0bbbbbbbbbbbbb111")
        .beats(6, 51, "interrupted", notice=50, done=30)
        .marks(51, "interrupted")
        .boots_at(54, "i-0123456789abcdef0", zone="us-east-1b")
        .beats(57, 100, done=55),
        Story(2).boots_at(3, "i-0ccccccccccccc222").beats(6, 99.7, "draining", notice=99.5, done=57),
        Story(3).boots_at(3, "i-0ddddddddddddd333").beats(6, 95, done=50).boots_at(99, "i-0eeeeeeeeeeeee444"),
        Story(4).boots_at(3, "i-0fffffffffffff555").marks(5, "gave_up", "The image cannot be pulled."),
    ]
    for story in stories:
        story.write(store)
    return read_status(store, manifest(5), minute(100.1))


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


AT_80 = """\
RUNNING ━━━━━━━━━━━━━━━──────────────────── 222/500 documents  44 %  6.0 pages/s
1h40m elapsed · done about 12:10 UTC or later · $7.38 of at most $720.00
222 ok, 0 partial, 0 failed, 0 skipped · 2,220 pages
# state    progress        failed pages/s    ETA rest. inst.  zone  cost seen
0 running  ━━━━──── 60/100      0     2.0 10m00s     0 …60718 1a   $1.64   6s
1 running  ━━━━──── 55/100      0     2.0 10m00s     1 …cdef0 1b   $2.40   6s
2 draining ━━━━──── 57/100      0     2.0 10m00s     0 …cc222 1a   $1.64  24s
3 booting  ━━━━──── 50/100      0     0.0      –     1 …ee444 1a   $1.64    –
4 failed   ──────── 0/100       0     0.0      –     0 …ff555 1a   $0.07    –
5 workers: 2 running, 1 draining, 1 booting, 1 failed
4 × g4dn.xlarge: 3 in us-east-1a, 1 in us-east-1b
worker 2: Spot interruption; a replacement will resume
worker 4 gave up: The image cannot be pulled.
stop:    pdfbatch down out/
"""
AT_120 = """\
RUNNING ━━━━━━━━━━━━━━━━━─────────────────────── 222/500 documents  44 %  6.0 pages/s
1h40m elapsed · done about 12:10 UTC or later · $7.38 of at most $720.00
222 ok, 0 partial, 0 failed, 0 skipped · 2,220 pages
#  state     progress         failed  pages/s     ETA  rest.  instance             zone        type          cost  seen
0  running   ━━━━──── 60/100       0      2.0  10m00s      0  i-0a1b2c3d4e5f60718  us-east-1a  g4dn.xlarge  $1.64    6s
1  running   ━━━━──── 55/100       0      2.0  10m00s      1  i-0123456789abcdef0  us-east-1b  g4dn.xlarge  $2.40    6s
2  draining  ━━━━──── 57/100       0      2.0  10m00s      0  i-0ccccccccccccc222  us-east-1a  g4dn.xlarge  $1.64   24s
3  booting   ━━━━──── 50/100       0      0.0       –      1  i-0eeeeeeeeeeeee444  us-east-1a  g4dn.xlarge  $1.64     –
4  failed    ──────── 0/100        0      0.0       –      0  i-0fffffffffffff555  us-east-1a  g4dn.xlarge  $0.07     –
5 workers: 2 running, 1 draining, 1 booting, 1 failed
4 × g4dn.xlarge: 3 in us-east-1a, 1 in us-east-1b
worker 2: Spot interruption; a replacement will resume
worker 4 gave up: The image cannot be pulled.
stop:    pdfbatch down out/
"""


@pytest.mark.parametrize(("width", "wanted"), [(80, AT_80), (120, AT_120)])
def test_the_screen_of_a_fleet(store: LocalStore, width: int, wanted: str) -> None:
    assert trimmed(text(views.status_screen(five_workers(store), NOW), width)) == wanted


def test_a_worker_that_reached_the_cost_cap_says_so(store: LocalStore) -> None:
    store.put(RunKeys(RUN).fleet, fleet().model_dump_json().encode())
    Story().boots_at(3).beats(6, 20, "interrupted").marks(20, "over_budget", "About $9.50 are spent.").write(store)
    screen = text(views.status_screen(read_status(store, manifest(1), minute(30)), NOW), 120)
    assert screen.startswith("OVER BUDGET ") and "1 worker: 1 over_budget" in screen
    assert "worker 0 stopped: the run reached its cost cap. About $9.50 are spent." in screen


def trimmed(screen: str) -> str:
    return "".join(line.rstrip() + "\n" for line in screen.splitlines())


@pytest.mark.parametrize("width", range(60, 170, 5))
def test_at_every_width_a_worker_is_one_line_and_its_first_columns_are_whole(store: LocalStore, width: int) -> None:
    lines = text(views.status_screen(five_workers(store), NOW), width).splitlines()
    assert all(len(line) <= width for line in lines)
    rows = [line for line in lines if line[:1].isdigit() and "/100" in line]
    header = next(line for line in lines if line.startswith(("#", "worker ")))
    assert [row.split()[:2] for row in rows] == [
        ["0", "running"],
        ["1", "running"],
        ["2", "draining"],
        ["3", "booting"],
        ["4", "failed"],
    ]
    assert not any("…" in row and "inst." not in header for row in rows), "something was cut"


def test_a_fleet_with_large_numbers_fits_80_columns(store: LocalStore) -> None:
    status = five_workers(store)
    large = {"done": 123_456, "total": 800_000, "failed": 1_234, "eta_seconds": 360_000.0, "dollars": 1_234.5}
    workers = [worker.model_copy(update=large | {"id": 100 + worker.id}) for worker in status.workers]
    lines = text(views.status_screen(status.model_copy(update={"workers": workers}), NOW), 80).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert sum("123,456/800,000" in line for line in lines) == 5


def test_an_ascii_terminal_gets_an_ascii_bar(store: LocalStore) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    Console(file=stream, width=80).print(views.status_screen(five_workers(store), NOW))
    stream.seek(0)
    assert "####---- 60/100" in stream.read()


def test_the_cost_of_a_finished_run_is_shown_without_a_worst_case(store: LocalStore) -> None:
    store.put(RunKeys(RUN).fleet, fleet().model_dump_json().encode())
    Story().boots_at(3).beats(6, 63, "done", done=100).marks(63, "done").write(store)
    screen = text(views.status_screen(read_status(store, manifest(1), minute(90)), NOW), 80)
    assert "$1.03 total" in screen and "1h03m elapsed" in screen and "at most" not in screen


# ── watching ─────────────────────────────────────────────────────────────────────────────────────────────────────


class FlakyStore(LocalStore):
    """Cannot be reached at its second and third read."""

    looks = 0

    def list(self, prefix: str = "") -> Iterator[Entry]:
        if prefix.endswith("/workers/"):
            self.looks += 1
            if self.looks in (2, 3):
                raise StoreError("The network is down.", "Wait.")
        return super().list(prefix)


class Life:
    """Sleeps by letting the worker continue: after `looks` reads its slice is done."""

    def __init__(self, store: LocalStore, looks: int) -> None:
        self.store = store
        self.looks = looks
        self.slept: list[float] = []
        self.story = Story().boots_at(3).beats(6, 20, done=10)
        store.put(RunKeys(RUN).fleet, fleet().model_dump_json().encode())
        self.story.write(store)

    def read(self) -> RunStatus:
        return read_status(self.store, manifest(1), minute(20.1))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == self.looks:
            self.story.beats(6, 20, "done", done=100).marks(20, "done").write(self.store)


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), width=80, height=24, force_terminal=terminal, color_system=None)


def printed(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_watching_survives_a_store_that_cannot_be_reached_and_ends_with_the_run(tmp_path: Path, terminal: bool) -> None:
    life, seen = Life(FlakyStore(tmp_path), 4), console(terminal=terminal)
    last = views.watch(life.read, seen, 10.0, lambda: NOW, life.sleep)
    assert last is not None and last.state == "done"
    assert life.slept == [10.0] * 4
    shown = printed(seen)
    assert shown.count("cannot reach the store: The network is down, trying again") == 2
    assert shown.count("10/100 documents") == 4, "the last table stays while the store is away"
    assert shown.count("100/100 documents") == 1 + terminal  # a terminal is drawn once more when it is left


def test_a_pipe_gets_no_control_characters(store: LocalStore) -> None:
    life, seen = Life(store, 1), console(terminal=False)
    views.watch(life.read, seen, 10.0, lambda: NOW, life.sleep)
    assert "\x1b" not in printed(seen)


def test_ctrl_c_ends_watching_cleanly(store: LocalStore) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    last = views.watch(Life(store, 9).read, console(terminal=True), 10.0, lambda: NOW, interrupted)
    assert last is not None and last.state == "running"


def test_a_store_that_cannot_be_reached_at_first_is_an_error(store: LocalStore) -> None:
    def fails() -> RunStatus:
        raise StoreError("No such bucket.", "Check its name.")

    with pytest.raises(StoreError, match="No such bucket"):
        views.watch(fails, console(terminal=False), 10.0, lambda: NOW)


def test_a_local_run_is_watched_until_it_is_interrupted(store: LocalStore) -> None:
    def stopped() -> RunStatus:
        return STATUS.model_copy(update={"state": "interrupted"})

    assert (
        views.watch(stopped, console(terminal=False), 10.0, lambda: NOW, lambda _: pytest.fail("it kept watching"))
        is not None
    )


def test_a_short_terminal_shows_the_most_urgent_workers(store: LocalStore) -> None:
    status = five_workers(store)
    running = [status.workers[0].model_copy(update={"id": number}) for number in range(5, 200)]
    many = status.model_copy(update={"workers": [*status.workers, *running]})
    seen = console(terminal=True)  # it is drawn once more when it is left
    views.watch(lambda: many.model_copy(update={"state": "done"}), seen, 10.0, lambda: NOW)
    screen = printed(seen)
    shown = [line.split()[:2] for line in screen.splitlines() if "/100" in line]
    assert shown[1:5] == [["1", "running"], ["2", "draining"], ["3", "booting"], ["4", "failed"]]
    assert len(shown) == 2 * 10 and "190 more workers" in screen and "200 workers: 197 running" in screen


def test_a_fleet_that_has_not_reported_yet_is_shown_as_booting(store: LocalStore) -> None:
    store.put(RunKeys(RUN).fleet, fleet(hours=48).model_dump_json().encode())
    silent = text(views.status_screen(read_status(store, manifest(5), minute(0.55)), NOW), 80)
    assert "BOOTING  launched 33s ago · first report normally 8 minutes after launch" in silent
    assert "AWS_DEFAULT_REGION=us-east-1 pdfbatch ls" in silent and "cost not yet known" in silent
    assert "$0.00" not in silent.splitlines()[-1]
    Story(0).boots_at(3).beats(6, 7, done=1).write(store)
    heard = text(views.status_screen(read_status(store, manifest(5), minute(7.1)), NOW), 80)
    assert "BOOTING" not in heard and "of at most" in heard


def test_skipped_documents_are_shown_as_converted_before() -> None:
    repeated = STATUS.model_copy(update={"documents": DocumentCounts(total=11, done=11, failed=3, skipped=8)})
    assert "0 ok, 0 partial, 3 failed, 8 skipped (converted before)" in text(views.status_screen(repeated, NOW), 80)


def test_the_list_of_runs_fits_80_columns_whole() -> None:
    counts = DocumentCounts(total=40000, done=40000, ok=39990, partial=4, failed=6)
    run = PastRun(run=RUN, created="2026-01-01T12:00:00Z", state="interrupted", documents=counts, dollars=1234.5)
    row = text(views.runs_screen(PastRuns(output="out/", current=RUN, runs=[run])), 80).splitlines()[1]
    assert row.split() == [RUN, "interrupted", "40,000", "39,990", "4", "6", "$1,234.50"]


# ── report ───────────────────────────────────────────────────────────────────────────────────────────────────────

REPORT = Report(
    run=RUN,
    input="in/",
    output="out/",
    engine="auto",
    model="",
    state="done",
    documents=DocumentCounts(total=4000, done=4000, ok=3990, partial=4, failed=6),
    pages=PageCounts(
        read=72000,
        failed=12,
        read_by={"dolphin": 54000, "text": 17000, "mixed": 1000},
        model_use=ModelUse(elements=2500),
    ),
    reasons={"encrypted": 6, "timeout": 4},
    began="2026-01-01T12:00:00Z",
    ended="2026-01-01T20:30:00Z",
    seconds=30600,
    workers=5,
    machines=7,
    interrupted=2,
    machine_hours=40.5,
    pages_per_machine_hour=1777.8,
    dollars=8.1,
    dollars_per_1000_pages=0.1125,
    worst_dollars=50.4,
    saved_dollars=13.2,
    spared=Savings(share=0.24, model_seconds=31325.0, dollars=1.74),
    waste=Waste(
        boot=Spent(hours=0.5, dollars=0.1), interruptions=Spent(hours=0.1, dollars=0.02), idle=Spent(dollars=0.0)
    ),
)
REPORT_AT_80 = """\
DONE  run 20260101T120000.000Z-abcd
documents   4,000 of 4,000: 3,990 ok, 4 partial, 6 failed, 0 skipped
pages       72,000 read, 12 failed
method      dolphin 54,000, text layer 17,000, text layer and model 1,000 (2,500
            elements by the model); 24 % of the pages did not need the model
auto saved  about 24 % of the model's work, 8h42m of its time, $1.74, compared
            with reading every page with the model
failures    encrypted 6, timeout 4
time        8h30m, from 2026-01-01 12:00 UTC to 2026-01-01 20:30 UTC
instances   7 instances for 5 workers, 2 interrupted: 40.50 hours, 1,778 pages
            per hour
cost        $8.10, $0.11 per 1,000 pages (worst case $50.40)
Spot saved  $13.20 compared with on-demand prices
overhead    booting: 30m00s, $0.10, 1 %
            interruptions: 6m00s, $0.020, 0 %
            idle at the end: 0s, $0.00
            total: $0.12
"""


def test_a_report_shows_what_was_converted_and_what_it_cost(store: LocalStore) -> None:
    assert trimmed(text(views.report_screen(REPORT), 80)) == REPORT_AT_80


def test_a_report_without_on_demand_prices_says_so(store: LocalStore) -> None:
    unknown = text(views.report_screen(REPORT.model_copy(update={"saved_dollars": None})), 80)
    assert "Spot saved  unknown: the run recorded no on-demand price" in unknown


def test_a_report_of_a_retry_names_what_it_fixed(store: LocalStore) -> None:
    retried = Retried(
        of="r0", fixed=1, broken=300, not_yet=2, reasons={"corrupt": 300}, fixed_keys=["a.pdf"], broken_keys=["b.pdf"]
    )
    own = {"retried": retried, "dollars": None, "waste": None}
    screen = text(views.report_screen(REPORT.model_copy(update=own)), 120)
    assert "r0: 1 fixed, 300 still failing, 2 not yet tried" in screen
    assert "b.pdf, … 299 more" in screen and "corrupt 300" in screen
    assert "cost" not in screen and "idle" not in screen


def test_a_report_before_the_first_instance_claims_no_cost() -> None:
    silent = REPORT.model_copy(update={"machines": 0, "dollars": 0.0, "dollars_per_1000_pages": None})
    shown = text(views.report_screen(silent), 80)
    assert "not yet known, at most $50.40" in shown
    assert "$0.00" not in shown and "overhead" not in shown
