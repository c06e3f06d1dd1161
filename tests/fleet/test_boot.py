"""Runs the real userdata/boot.sh: what an instance does, whatever its image, its worker and AWS do.

What is real and what is a stub: see machine/box.py. The real `aws` and a whole fleet: test_end_to_end.py.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdfbatch.config import worker_settings
from pdfbatch.records import DoneMark, boot_of
from tests.fleet.machine.box import FLEET, IMAGE, INSTANCE, Box, in_seconds
from tests.imds import Imds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the fleet's instances run Linux"),
]
MARK = "done/worker-1.json"
LOG = f"logs/worker-1/{INSTANCE}.log"
MARKS = "$STUBS/store/papers/out/.pdfbatch/run-1/done"
NOW = "shutdown -h now"


@pytest.fixture
def imds() -> Iterator[Imds]:
    with Imds() as running:
        yield running


@pytest.fixture
def box(tmp_path: Path, imds: Imds) -> Box:
    return Box(tmp_path, imds)


def worker_ends(code: int, mark: str = "") -> str:
    """Scripts `docker` so that the worker exits with `code` and leaves a done mark with `mark`."""
    leave = f"mkdir -p {MARKS}; echo '{mark_of(mark)}' >{MARKS}/worker-1.json; " if mark else ""
    return f"[[ $1 != run ]] || {{ {leave}exit {code}; }}"


def mark_of(why: str, worker: int = 1) -> str:
    return json.dumps({"worker": worker, "why": why, "at": "2026-11-25T19:45:00Z"})


def which(calls: list[str], *words: str) -> list[str]:
    """Selects the calls that contain each of these words."""
    return [call for call in calls if all(word in call for word in words)]


def ended_its_fleet(calls: list[str]) -> bool:
    return which(calls, "aws ec2 delete-fleets", FLEET, "--terminate-instances") != []


@pytest.mark.parametrize("code", [0, 3])
def test_an_instance_with_a_finished_slice_deletes_its_fleet_and_then_shuts_down(box: Box, code: int) -> None:
    calls = box.boot(worker_ends(code))
    assert len(which(calls, "docker run")) == 1
    assert ended_its_fleet(calls)
    assert calls[-1] == NOW
    assert "this slice is finished" in box.stored()[LOG]


def test_the_deadline_timer_starts_before_anything_that_could_hang(box: Box) -> None:
    calls = box.boot(worker_ends(0))
    plain = next(call for call in calls if call.startswith("shutdown -h +"))
    minutes = int(plain.removeprefix("shutdown -h +"))
    assert 5 < minutes - 6000 <= 8, "a little after END, and earlier than AWS itself ends the fleet"
    timer = next(call for call in calls if re.fullmatch(r"sleep 36\d{4}", call))
    first_of_aws, pull = (
        next(i for i, call in enumerate(calls) if call.startswith(word)) for word in ("aws", "docker")
    )
    assert calls.index(plain) < first_of_aws
    assert calls.index(timer) < pull


def test_the_container_gets_the_workers_settings_and_time_to_drain(box: Box) -> None:
    calls = box.boot('[[ $1 != run ]] || { env -0 >"$STUBS/environment"; exit 0; }', {"AWS_ENDPOINT_URL": "http://aws"})
    [run] = which(calls, "docker run")
    assert run.endswith(f"{IMAGE} worker")
    for option in (
        "--gpus all",
        "--network host",
        "--stop-timeout 110",
        "--log-driver awslogs",
        "mode=non-blocking",
        "awslogs-group=/aws/ec2/pdf-workers/pdfbatch",
        f"awslogs-stream=run-1/worker-1/{INSTANCE}",
        "awslogs-endpoint=http://aws",
    ):
        assert option in run
    assert re.search(r"--volume \S+/scratch:/scratch --volume \S+/cache:/cache", run)
    there = dict(line.split("=", 1) for line in (box.stubs / "environment").read_text().split("\0") if line)
    passed = re.findall(r"--env (\S+)", run)
    settings = worker_settings({name: there[name] for name in passed if name in there})
    assert (settings.worker, settings.source, settings.output) == (1, "s3://papers/in/", "s3://papers/out/")
    assert (settings.instance, settings.instance_type, settings.zone) == (INSTANCE, "g4dn.xlarge", "us-east-1a")
    assert settings.run == "run-1" and settings.topic.startswith("arn:aws:sns")
    assert settings.deadline is not None and settings.booted is not None
    assert "AWS_ENDPOINT_URL" in passed


def test_an_instance_without_gpus_requests_none_from_docker(box: Box) -> None:
    [run] = which(box.boot(worker_ends(0), {"PDFBATCH_GPUS": ""}), "docker run")
    assert "--gpus" not in run and "awslogs-endpoint" not in run


T4 = "Tesla T4, 550.54.15, 7.5, 15360 MiB"


def test_the_log_names_the_gpu_its_driver_and_its_compute_capability(box: Box) -> None:
    box.tell("nvidia-smi", f"echo '{T4}'")
    assert len(which(box.boot(worker_ends(0)), "docker run")) == 1
    assert T4 in box.stored()[LOG]


def test_an_instance_whose_gpu_does_not_answer_is_replaced_without_a_pull(box: Box) -> None:
    box.tell("nvidia-smi", "echo 'Unable to determine the device handle for GPU: Unknown Error'; exit 15")
    calls = box.boot(worker_ends(0))
    assert which(calls, "docker") == []
    assert not ended_its_fleet(calls)
    assert calls[-1] == NOW
    assert "Unable to determine the device handle" in box.stored()[LOG]


def test_an_instance_without_gpus_does_not_look_for_one(box: Box) -> None:
    box.tell("nvidia-smi", "exit 9")
    assert len(which(box.boot(worker_ends(0), {"PDFBATCH_GPUS": ""}), "docker run")) == 1


DISKS = "/dev/nvme0n1 Amazon Elastic Block Store\n/dev/nvme1n1 Amazon EC2 NVMe Instance Storage\n"


def test_the_instances_own_nvme_is_used_and_formatted_if_needed(box: Box) -> None:
    box.tell("disks", DISKS)
    calls = box.boot(worker_ends(0))
    assert len(which(calls, "mkfs.ext4", "/dev/nvme1n1")) == len(which(calls, "mkfs.ext4")) == 1
    mounted = which(calls, "mount /dev/nvme1n1")[-1].split()[-1]
    assert f"--volume {mounted}/scratch:/scratch" in which(calls, "docker run")[0]


def test_an_nvme_with_a_file_system_is_not_formatted(box: Box) -> None:
    box.tell("disks", DISKS)
    box.tell("formatted", "")
    calls = box.boot(worker_ends(0))
    assert len(which(calls, "mount /dev/nvme1n1")) == 1
    assert which(calls, "mkfs.ext4") == []


def test_a_boot_is_recorded_in_the_store_first(box: Box) -> None:
    calls = box.boot(worker_ends(0))
    boot = boot_of(next(key for key in box.stored() if key.startswith("boots/")))
    assert boot is not None and boot.worker == 1
    assert (boot.machine.instance, boot.machine.type, boot.machine.zone) == (INSTANCE, "g4dn.xlarge", "us-east-1a")
    assert "boots/worker-1/" in next(call for call in calls if call.startswith("aws"))


@pytest.mark.parametrize("why", ["done", "deadline", "gave_up", "failing", "over_budget", "retired"])
def test_a_replacement_for_a_finished_slice_deletes_its_fleet_at_once(box: Box, why: str) -> None:
    box.put(MARK, mark_of(why))
    calls = box.boot()
    assert which(calls, "docker") == []
    assert ended_its_fleet(calls)
    assert calls[-1] == NOW


@pytest.mark.parametrize("why", ["interrupted", "failed"])
def test_a_replacement_resumes_an_interrupted_slice(box: Box, why: str) -> None:
    box.put(MARK, mark_of(why))
    assert len(which(box.boot(worker_ends(0)), "docker run")) == 1


def test_an_instance_that_boots_after_the_end_deletes_its_fleet_at_once(box: Box) -> None:
    calls = box.boot(values={"PDFBATCH_END": in_seconds(-5)})
    assert which(calls, "docker") == []
    assert ended_its_fleet(calls)


def test_the_deadline_timer_stops_a_container_that_hangs(box: Box) -> None:
    calls = box.boot("[[ $1 != run ]] || exec /bin/sleep 50", {"PDFBATCH_END": in_seconds(4000)})
    assert len(which(calls, "docker run")) == 1
    assert ended_its_fleet(calls)
    assert calls[-1] == NOW
    assert "this run has reached its time limit" in box.stored()[LOG]


def test_the_deadline_timer_stops_a_pull_that_hangs(box: Box) -> None:
    calls = box.boot("exec /bin/sleep 50", {"PDFBATCH_END": in_seconds(4000)})
    assert which(calls, "docker run") == []
    assert ended_its_fleet(calls)


def test_a_worker_that_drained_at_its_deadline_deletes_its_fleet(box: Box) -> None:
    calls = box.boot(worker_ends(130, "deadline"))
    assert len(which(calls, "docker run")) == 1
    assert ended_its_fleet(calls)


def test_a_worker_that_was_taken_out_of_its_pool_deletes_its_fleet(box: Box) -> None:
    assert ended_its_fleet(box.boot(worker_ends(130, "retired")))


def test_an_interrupted_instance_waits_for_its_termination_and_keeps_its_fleet(box: Box) -> None:
    calls = box.boot(worker_ends(130, "interrupted"))
    assert len(which(calls, "docker run")) == 1
    assert not ended_its_fleet(calls)
    assert calls.index("sleep 600") < calls.index(NOW)
    assert "interrupted" in box.stored()[LOG]


@pytest.mark.parametrize("code", [1, 4, 125, 137])
def test_a_failing_worker_is_retried_three_times_before_the_instance_is_replaced(box: Box, code: int) -> None:
    calls = box.boot(worker_ends(code))
    assert len(which(calls, "docker run")) == 3
    assert not ended_its_fleet(calls)
    assert calls[-1] == NOW
    assert f"ended with {code}" in box.stored()[LOG]


def test_a_worker_that_fails_once_is_restarted(box: Box) -> None:
    calls = box.boot('[[ $1 != run || -e $STUBS/tried ]] || { touch "$STUBS/tried"; exit 1; }')
    assert len(which(calls, "docker run")) == 2
    assert ended_its_fleet(calls)


def test_a_failed_pull_is_retried(box: Box) -> None:
    calls = box.boot('[[ $1 != pull || -e $STUBS/tried ]] || { touch "$STUBS/tried"; exit 1; }')
    assert len(which(calls, "docker pull")) == 2
    assert len(which(calls, "docker run")) == 1


def test_the_token_for_pulling_from_ecr_is_not_logged(box: Box) -> None:
    registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    calls = box.boot('[[ $1 != login ]] || cat >"$STUBS/password"', {"PDFBATCH_IMAGE": f"{registry}/pdfbatch@sha256:0"})
    assert which(calls, "ecr get-login-password", "eu-west-1") != []
    assert which(calls, "docker login", registry) != []
    assert (box.stubs / "password").read_text() == "the registry's password\n"
    assert "password\n" not in box.output


def test_a_broken_image_gives_up_after_its_boot_limit(box: Box) -> None:
    broken = "[[ $1 != pull ]]"
    for boots in range(5):
        calls = box.boot(broken)
        assert not ended_its_fleet(calls)
        assert len([key for key in box.stored() if key.startswith("strikes/")]) == boots + 1
        box.imds.values["instance-id"] = f"i-{boots:017x}"
    calls = box.boot(broken)
    assert which(calls, "docker") == []
    assert ended_its_fleet(calls)
    mark = DoneMark.model_validate_json(box.stored()[MARK])
    assert (mark.worker, mark.why) == (1, "gave_up")
    assert mark.detail == "5 instances in a row made no progress; the last was i-00000000000000004."
    [mail] = which(calls, "aws sns publish")
    assert "worker-1 gave up" in mail and "s3://papers/out/.pdfbatch/run-1/logs/worker-1/" in mail


def strike_five_times(box: Box) -> None:
    for number in range(5):
        box.put(f"strikes/worker-1/2026112{number}T000000Z_i-{number}")


def test_the_last_worker_to_give_up_completes_the_run(box: Box) -> None:
    strike_five_times(box)
    box.put("done/worker-0.json", mark_of("done", 0))
    box.put("done/worker-2.json", mark_of("deadline", 2))
    calls = box.boot()
    assert json.loads(box.stored()["completed.json"])["worker"] == 1
    assert [
        found for mail in which(calls, "sns publish") for found in re.findall(r"--subject (.*) --message", mail)
    ] == [
        "pdfbatch run-1: worker-1 gave up",
        "pdfbatch run-1: all workers have ended",
    ]


def test_in_a_pool_a_worker_that_gives_up_leaves_the_end_to_the_others(box: Box) -> None:
    strike_five_times(box)
    box.put("done/worker-0.json", mark_of("done", 0))
    box.put("done/worker-2.json", mark_of("done", 2))
    calls = box.boot(values={"PDFBATCH_POOL": "yes"})
    assert "completed.json" not in box.stored() and ended_its_fleet(calls)
    assert len(which(calls, "sns publish")) == 1


def test_the_end_of_a_run_is_reported_once(box: Box) -> None:
    strike_five_times(box)
    box.put("done/worker-0.json", mark_of("done", 0))
    box.put("done/worker-2.json", mark_of("done", 2))
    box.put("completed.json", "somebody else's")
    calls = box.boot()
    assert box.stored()["completed.json"] == "somebody else's"
    assert len(which(calls, "sns publish")) == 1
    assert ended_its_fleet(calls)


@pytest.mark.parametrize("other", ["", "interrupted"])
def test_a_worker_that_gives_up_while_others_work_does_not_complete_the_run(box: Box, other: str) -> None:
    strike_five_times(box)
    box.put("done/worker-0.json", mark_of("done", 0))
    if other:
        box.put("done/worker-2.json", mark_of(other, 2))
    calls = box.boot()
    assert "completed.json" not in box.stored()
    assert len(which(calls, "sns publish")) == 1


def test_without_a_topic_no_email_is_sent(box: Box) -> None:
    strike_five_times(box)
    assert which(box.boot(values={"PDFBATCH_TOPIC": ""}), "sns") == []


@pytest.mark.parametrize(
    ("stub", "text"), [("refused", "delete-fleets"), ("undeletable", "unexpectedError")], ids=["refused", "undeletable"]
)
def test_a_fleet_that_cannot_be_deleted_gets_a_target_capacity_of_0(box: Box, stub: str, text: str) -> None:
    box.tell(stub, text)
    calls = box.boot(worker_ends(0))
    [modified] = which(calls, "aws ec2 modify-fleet", FLEET)
    assert "--excess-capacity-termination-policy termination" in modified
    assert "TotalTargetCapacity=0" in modified
    assert calls[-1] == NOW


def test_if_aws_refuses_every_call_the_instance_still_shuts_down(box: Box) -> None:
    box.tell("refused", ".")
    calls = box.boot(worker_ends(0))
    assert len(which(calls, "docker run")) == 1
    assert calls[-1] == NOW


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket", "KMS.DisabledException"])
def test_an_instance_without_write_access_deletes_its_fleet_and_sends_an_email(box: Box, code: str) -> None:
    box.tell("refused", "put-object")
    box.tell("refusal", code)
    calls = box.boot()
    assert ended_its_fleet(calls) and calls[-1] == NOW
    assert which(calls, "docker") == [], "a replacement would fail too"
    assert len(which(calls, "put-object", "boots/worker-1")) == 3, "a new role may not be known everywhere yet"
    [mail] = which(calls, "sns publish")
    assert "worker-1 has no write access" in mail and "pdfbatch doctor" in mail


def test_an_instance_of_a_deleted_run_deletes_its_fleet(box: Box) -> None:
    box.tell("taken_back", "")
    calls = box.boot()
    assert ended_its_fleet(calls) and calls[-1] == NOW
    assert which(calls, "docker") == []


def test_a_mark_that_cannot_be_written_does_not_keep_the_fleet_alive(box: Box) -> None:
    strike_five_times(box)
    box.tell("refused", "done/worker-1.json")
    assert ended_its_fleet(box.boot())


def test_a_fleet_is_found_by_the_instances_tags_where_the_metadata_has_none(box: Box) -> None:
    del box.imds.values["tags/instance/aws:ec2:fleet-id"]
    calls = box.boot(worker_ends(0))
    assert which(calls, "describe-tags", f"Values={INSTANCE}") != []
    assert which(calls, "delete-fleets", "fleet-of-the-tags") != []


def test_an_instance_without_metadata_still_works(box: Box) -> None:
    box.imds.fault = "refuse-tokens"
    calls = box.boot(worker_ends(0))
    assert len(which(calls, "docker run")) == 1
    assert "logs/worker-1/unknown.log" in box.stored()
    assert calls[-1] == NOW


def test_a_killed_script_shuts_the_instance_down(box: Box) -> None:
    calls = box.boot('[[ $1 != run ]] || { kill -TERM "$PPID"; exec /bin/sleep 20; }')
    assert calls[-1] == NOW
    assert LOG in box.stored()


def test_prefixes_may_contain_any_character(box: Box) -> None:
    calls = box.boot(worker_ends(0), {"S3_OUTPUT_PREFIX": 'it\'s $(here) "é"/'})
    root = box.stubs / "store" / "papers" / 'it\'s $(here) "é"' / ".pdfbatch" / "run-1"
    assert (root / LOG).exists()
    assert ended_its_fleet(calls)


def test_upgrades_are_masked_before_the_container_runs_and_a_refusal_changes_nothing(box: Box) -> None:
    calls = box.boot(worker_ends(0))
    [mask] = which(calls, "systemctl", "mask")
    for unit in ("apt-daily.timer", "apt-daily-upgrade.timer", "unattended-upgrades"):
        assert unit in mask
    [run] = which(calls, "docker run")
    assert calls.index(mask) < calls.index(run)


def test_without_a_route_to_s3_the_fifth_boot_deletes_the_fleet(box: Box) -> None:
    box.tell("silent", "s3api")
    for _ in range(4):
        calls = box.boot()
        assert not ended_its_fleet(calls) and calls[-1] == NOW
        assert which(calls, "docker") == []
    calls = box.boot()
    assert ended_its_fleet(calls) and calls[-1] == NOW
    [mail] = which(calls, "sns publish")
    assert "cannot reach S3" in mail and "5 instances" in mail


def test_if_nothing_answers_the_instance_shuts_down_at_once(box: Box) -> None:
    box.tell("silent", ".")
    calls = box.boot()
    assert which(calls, "docker") == [] and not ended_its_fleet(calls)
    assert len(which(calls, "aws s3api")) == 1, "each retry is billed instance time"
    assert calls[-1] == NOW


def test_if_boots_cannot_be_counted_the_fleet_is_deleted(box: Box) -> None:
    box.tell("silent", "s3api|create-tags")
    assert ended_its_fleet(box.boot())


def test_once_s3_answers_the_count_of_failed_boots_is_reset(box: Box) -> None:
    box.tell("in_vain", "4")
    assert len(which(box.boot(worker_ends(0)), "docker run")) == 1
    assert (box.stubs / "in_vain").read_text() == "0"


def test_an_interruption_during_the_pull_leaves_no_strike(box: Box) -> None:
    box.imds.values["spot/instance-action"] = '{"action": "terminate"}'
    box.boot("exec /bin/sleep 3", {"PDFBATCH_END": in_seconds(4000)})
    assert [key for key in box.stored() if key.startswith("strikes/")] == []
