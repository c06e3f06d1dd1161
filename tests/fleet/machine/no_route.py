"""Measures what instances without a route to S3 do and cost, boot by boot: `python -m tests.fleet.machine.no_route`.

Runs the real boot.sh (box.py). Its pauses count at full length, and each unanswered call of `aws` at its own limit
of 120 s, which is the worst case. BOOT is the time before user data runs.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.fleet.machine.box import FLEET, Box
from tests.imds import Imds

BOOT = 60
"""Seconds of an instance that are billed before user data runs; an estimate."""
SILENT_CALL = 120
ON_DEMAND = 0.526
"""Dollars an hour of a g4dn.xlarge on demand, which no Spot instance exceeds."""
REPLACED_AFTER = 120
"""Seconds until a fleet has replaced an instance that ended: it looks about every 2 minutes. Source: EC2 guide."""
HOURS = 48


def seconds_of(calls: list[str], silent: str) -> int:
    pauses = [int(number) for call in calls for number in re.findall(r"^sleep (\d+)$", call)]
    return (
        BOOT
        + sum(
            pause for pause in pauses if pause < 3600 and pause != 5
        )  # the deadline and the poll of notices go beside
        + SILENT_CALL * sum(bool(re.search(silent, call)) for call in calls if call.startswith("aws "))
    )


def lives(silent: str, most: int) -> list[tuple[int, bool]]:
    """Seconds of each boot, and whether it ended the fleet."""
    with tempfile.TemporaryDirectory() as folder, Imds() as imds:
        box, found = Box(Path(folder), imds), list[tuple[int, bool]]()
        box.tell("silent", silent)
        while len(found) < most and not (found and found[-1][1]):
            calls = box.boot()
            ended = any("delete-fleets" in call and FLEET in call for call in calls)
            found.append((seconds_of(calls, silent), ended))
    return found


def main() -> None:
    for what, silent, most in (
        ("S3 does not answer, EC2 does", "s3api", 9),
        ("no count can be kept: EC2 answers, but refuses the tag", "s3api|create-tags", 9),
        ("nothing answers", ".", 1),
    ):
        print(f"{what}:\n  boot  seconds  dollars in all  ends the fleet")
        total = 0
        for number, (seconds, ended) in enumerate(found := lives(silent, most), 1):
            total += seconds
            print(f"  {number:4}  {seconds:7}  {total / 3600 * ON_DEMAND:14.3f}  {'yes' if ended else 'no'}")
        if not found[-1][1]:
            boots = HOURS * 3600 // (found[-1][0] + REPLACED_AFTER)
            dollars = boots * found[-1][0] / 3600 * ON_DEMAND
            print(f"  … the same until ValidUntil: after {HOURS} h at most {boots} boots and ${dollars:.2f} a worker")


if __name__ == "__main__":
    main()
