"""Decide for one page, in its child, whether it is read here or left to a model. Pure."""

from __future__ import annotations

from typing import NamedTuple

from pdfbatch.documents.page_read import PageRead
from pdfbatch.records import Policy, Signals, Triage, TriageVerdict


class Decision(NamedTuple):
    is_left: bool
    """Whether the page is left to another engine."""
    verdict: TriageVerdict | None = None
    """The triage's, if it was asked."""


class Sorting(NamedTuple):
    """How pages are shared out. `ocr`: without triage, pages with an untrusted text layer are read here too."""

    ocr: bool = True
    triage: Triage | None = None
    policy: Policy = "fallback"

    def before_ocr(self, signals: Signals) -> Decision:
        """Decide about a page with an untrusted text layer."""
        if self.ocr or self.triage is None:
            return Decision(not self.ocr)
        verdict = self.triage.verdict_before_ocr(signals)
        return Decision(verdict.to_model, verdict)

    def sorted(self, read: PageRead) -> PageRead:
        """Add the verdict to a page that was read and has signals."""
        page = read.page
        if self.triage is None or page.signals is None or page.reason is not None:
            return read
        verdict = self.triage.verdict(page.signals, self.policy)
        return read._replace(page=page.model_copy(update={"triage": verdict}))
