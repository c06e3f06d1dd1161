"""Measure what events cost a run: the same documents without a sink, with one that takes everything, and with ones that
are down or hang. The receiver is a process of its own: `python -m bench.events`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from samples.many import many_pdfs

from .figures import Figure, Section, at_most
from .measure import ROOT, say
from .ours import local_run

DOCUMENTS = 2_000
ROUNDS = 5
KEY = "bench-key-of-some-length"
MOST = 1.05
"""The promise: with a sink, whatever it does, a run takes at most so many times as long."""


def run(_corpus: Path, scratch: Path) -> list[Section]:
    return [measured(scratch, DOCUMENTS, ROUNDS)]


def measured(scratch: Path, documents: int, rounds: int) -> Section:
    """Compares the seconds until a slice is done, in rounds: each does every way once, so that all share the machine's
    moods; the best of each way counts, because whatever else a machine does only adds."""
    source = scratch / "papers"
    many_pdfs(source, documents)
    os.environ["PDFBATCH_EVENTS_KEY"] = KEY
    with _receiver() as up, _silent() as hung:
        ways = {"none": "", "up": f"batch+{up}", "down": "http://127.0.0.1:1/", "hangs": hung}
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        waiting: dict[str, int] = {}
        for number in range(rounds):
            for way, address in ways.items():
                done = local_run(source, scratch / f"{way}-{number}", engine="null", processes=2, events=address)
                seconds[way].append(float(done.report["seconds"]))
                waiting[way] = sum(sink["waiting"] for sink in done.report["events"])
                say(f"events: {way}, {seconds[way][-1]:.1f} s")
    best = {way: min(each) for way, each in seconds.items()}
    return Section(
        f"Events: {documents:,} documents of one page, engine null, a webhook; best of {rounds}",
        [
            Figure("without a sink", best["none"], "s"),
            *(
                at_most(f"a sink that {what}, against none", best[way] / best["none"], MOST, "x")
                for way, what in (("up", "takes all"), ("down", "is down"), ("hangs", "never answers"))
            ),
            at_most("events waiting after a run: takes all", waiting["up"], 0),
            Figure("events waiting after a run: is down", waiting["down"]),
        ],
    )


@contextmanager
def _receiver() -> Iterator[str]:
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.kill()


@contextmanager
def _silent() -> Iterator[str]:
    """A server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


class _Taker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), _Taker) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
