"""A host of a job finds its place, and leaves a message that SageMaker can keep."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pdfbatch.config import worker_settings
from pdfbatch.errors import ExitCode, PdfbatchError, UsageError
from pdfbatch.records import Counts, DoneMark
from pdfbatch.records.processing_job import MESSAGE_BYTES, host_names
from pdfbatch.runs.progress import DocumentCounts, PageCounts, RunStatus
from pdfbatch.worker.exit_message import SUMMARY_BYTES, job_exit_code, of_error, of_host, of_run
from pdfbatch.worker.processing_host import ProcessingHost
from tests.sagemaker import opt_ml

AT = datetime(2026, 11, 28, 2, tzinfo=UTC)
REQUEST = {
    "ProcessingJobName": "pdfbatch-1",
    "ProcessingResources": {"ClusterConfig": {"InstanceCount": 3, "InstanceType": "ml.g4dn.xlarge"}},
    "StoppingCondition": {"MaxRuntimeInSeconds": 7200},
}
BUCKETS = {"S3_INPUT_BUCKET": "papers", "S3_OUTPUT_BUCKET": "papers"}


def mark(**counts: int) -> DoneMark:
    return DoneMark(worker=0, why="done", at=AT, counts=Counts(**counts))


def test_the_slice_is_the_position_of_the_host(tmp_path: Path) -> None:
    host = ProcessingHost.read(opt_ml.make(tmp_path, REQUEST, host=2, hosts=3))
    settings = worker_settings({**BUCKETS, **host.variables(AT)})
    assert (settings.worker, settings.total_workers) == (1, 3) and not host.is_first
    assert (settings.instance, settings.instance_type, settings.booted) == ("algo-2", "ml.g4dn.xlarge", AT)


def test_every_host_of_a_large_job_has_a_slice_of_its_own(tmp_path: Path) -> None:
    hosts = [ProcessingHost.read(opt_ml.make(tmp_path / str(number), {}, number, 12)) for number in range(1, 13)]
    assert sorted(host.number for host in hosts) == list(range(12))
    assert [host.name for host in sorted(hosts, key=lambda host: host.number)] == host_names(12)
    assert hosts[0].is_first and hosts[0].name == "algo-1"


def test_the_worker_drains_before_sagemaker_stops_the_job(tmp_path: Path) -> None:
    settings = worker_settings({**BUCKETS, **ProcessingHost.read(opt_ml.make(tmp_path, REQUEST)).variables(AT)})
    assert settings.deadline == AT + timedelta(hours=1, minutes=45)
    short = {"StoppingCondition": {"MaxRuntimeInSeconds": 60}}
    host = ProcessingHost.read(opt_ml.make(tmp_path / "short", short))
    assert worker_settings({**BUCKETS, **host.variables(AT)}).deadline == AT + timedelta(seconds=45)


def test_a_host_without_the_job_s_request_has_no_deadline(tmp_path: Path) -> None:
    tree = opt_ml.make(tmp_path, REQUEST)
    (tree / "config/processingjobconfig.json").unlink()
    host = ProcessingHost.read(tree)
    assert host.runtime_seconds is None and "PDFBATCH_DEADLINE" not in host.variables(AT)


def test_the_type_that_was_chosen_counts_not_those_that_were_preferred(tmp_path: Path) -> None:
    cluster = {"InstancePreferences": [{"InstanceType": "ml.g5.xlarge"}, {"InstanceType": "ml.g4dn.xlarge"}]}
    tree = opt_ml.make(tmp_path, {"ProcessingResources": {"ClusterConfig": cluster}})
    assert ProcessingHost.read(tree).instance_type == ""
    resources = {"current_host": "algo-1", "hosts": ["algo-1"], "current_instance_type": "ml.g4dn.xlarge"}
    (tree / "config/resourceconfig.json").write_text(json.dumps(resources))
    assert ProcessingHost.read(tree).instance_type == "ml.g4dn.xlarge"


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"current_host": "algo-3", "hosts": ["algo-1"]}'])
def test_outside_a_job_the_error_names_the_file(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config").mkdir()
        (tmp_path / "config/resourceconfig.json").write_text(content)
    with pytest.raises(UsageError, match="resourceconfig") as error:
        ProcessingHost.read(tmp_path)
    assert "local-run" in error.value.hint


def test_failed_documents_do_not_fail_the_job_and_everything_else_does() -> None:
    assert [job_exit_code(code) for code in ExitCode] == [0, 1, 2, 0, 4, 130]


def test_the_message_has_the_numbers() -> None:
    host = ProcessingHost("algo-2", 1, 3)
    text = of_host(host, mark(total=9, ok=5, partial=1, failed=2, skipped=1, pages_read=70, pages_failed=3)).decode()
    assert text == "algo-2: 9 of 9 documents, 2 failed, 1 partial; 70 pages, 3 failed\n"


def test_the_message_says_why_a_slice_is_not_done() -> None:
    stopped = mark(total=9, ok=5).model_copy(update={"why": "over_budget", "detail": "About $3 of $3 is spent."})
    assert "; over budget: About $3 of $3 is spent.\n" in of_host(ProcessingHost("algo-1", 0, 1), stopped).decode()
    assert of_host(ProcessingHost("algo-7", 6, 40), stopped).decode() == "6:5/9 over budget\n"


@pytest.mark.parametrize("hosts", [1, 2, 3, 7, 20, 40, 77, 100])
def test_the_messages_of_all_hosts_fit_into_one(hosts: int) -> None:
    error = PdfbatchError("Ünbegreiflich: " + "ё" * 3000, "Try 食べる again.")
    long = mark(total=10**6, ok=10**6 - 2, failed=2, pages_read=10**8)
    for make in (lambda host: of_error(host, error), lambda host: of_host(host, long)):
        parts = [make(ProcessingHost(f"algo-{number + 1}", number, hosts)) for number in range(hosts)]
        whole = b"".join(parts)
        assert len(whole) + SUMMARY_BYTES <= MESSAGE_BYTES
        whole.decode("utf-8")
        assert all(part.endswith(b"\n") for part in parts if part)
    assert hosts > 77 or of_error(ProcessingHost("algo-1", 0, hosts), error).startswith(b"algo-1: ")


def test_text_of_strangers_cannot_steer_the_console_that_shows_the_message() -> None:
    error = PdfbatchError("no \x1b[31m key \u202e\ud800", "")
    assert of_error(ProcessingHost("algo-1", 0, 1), error).decode("utf-8").strip().isprintable()


def test_the_numbers_of_the_whole_run_have_their_own_room() -> None:
    status = RunStatus(
        run="20261128T020000.123Z-0abc",
        input="s3://a/" + "x" * 900,
        output="s3://b/",
        state="done",
        documents=DocumentCounts(total=4, done=4, ok=3, failed=1),
        pages=PageCounts(read=31, failed=2),
        reasons={},
        workers=[],
        seconds=1.0,
    )
    assert of_run(status).decode() == (
        "run 20261128T020000.123Z-0abc: 4 of 4 documents, 1 failed; 31 pages, 2 failed\n"
    )
    assert len(of_run(status)) <= SUMMARY_BYTES
