"""The live run: checks ten things that only a real account can show. `make live N=1` (N: workers).

It refuses to start without PDFBATCH_LIVE=yes, a cost cap and an S3 URL; see permission.py. The account must be set up
and the image pushed before (docs/aws.md). It creates, and always removes again: a fleet of N with `pdfbatch
launch`, a role with the policy that `doctor --policy` prints, a Spot interruption by the Fault Injection Service with
its role, and a fleet of one idle t3.micro that expires by itself. PDFs and Markdown stay in the place. It takes an hour
or two.

Ends with 0 when all ten are as expected, 1 when one is not or was not seen, 2 when it refused.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import ExitStack

from tests.live.looks import NAMES, Look
from tests.live.permission import USAGE, NotPermittedError, Permission, permission
from tests.live.story import Story


def main(arguments: Sequence[str]) -> int:
    try:
        allowed = permission(arguments, os.environ)
    except NotPermittedError as refusal:
        print(f"{refusal}\n\n{USAGE}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # as Ctrl-C: what was made is taken away
    return shown(see(allowed))


def see(allowed: Permission) -> list[Look]:
    """Returns what was observed, as far as the run got."""
    seen: list[Look] = []
    try:
        with ExitStack() as ends:
            story = Story(allowed, ends, lambda line: print(line, file=sys.stderr, flush=True))
            seen = story.looks
            story.go()
    except Exception:  # what was paid for is shown, whatever went wrong
        traceback.print_exc()
        print("Broken off. Run `pdfbatch ls` to see that nothing is left.", file=sys.stderr)
    return seen


def shown(seen: Sequence[Look]) -> int:
    """The exit code; prints all ten."""
    by_name = {look.name: look for look in seen}
    ten = [by_name.get(name, Look(name, "not seen", "the run did not get so far")) for name in NAMES]
    for number, look in enumerate(ten, start=1):
        print(f"{number:2}  {look.verdict:11}  {look.name}: {look.seen}")
    return 0 if all(look.verdict == "as expected" for look in ten) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
