"""A fleet whose three workers were interrupted, steady, and never spoke; as records and as a timeline."""

from __future__ import annotations

from collections.abc import Sequence

from pdfbatch.runs.progress import Records
from pdfbatch.runs.timeline import Timeline, timeline
from tests.frozen import manifest_of
from tests.runs.fleets import LAUNCH, RUN, Story, fleet, minute

INTERRUPTED = (
    Story(0).boots_at(3).beats(6, 20, "draining", notice=19).boots_at(30).beats(33, 60, done=100).marks(60, "done")
)
STEADY = Story(1).boots_at(4).beats(8, 50, done=100).marks(50, "done")
NEVER_SPOKE = Story(2).boots_at(5).boots_at(40)
MANIFEST = manifest_of(300, 3, run=RUN, created=LAUNCH)


def records(stories: Sequence[Story], hours: float = 2) -> Records:
    boots = [found for story in stories for found in story.boot_records()]
    beats = [story.beat for story in stories if story.beat]
    return Records(beats, [story.mark for story in stories if story.mark], fleet(hours), boots)


def course(now: float = 70) -> Timeline:
    return timeline(MANIFEST, records([INTERRUPTED, STEADY, NEVER_SPOKE]), minute(now))
