"""What each reason means and how to fix it, in one line each."""

from __future__ import annotations

from typing import NamedTuple

from pdfbatch.records.base import Reason


class ReasonText(NamedTuple):
    meaning: str
    remedy: str
    """An instruction in Markdown without a full stop; commands are in backticks."""
    remedy_here: str = ""
    """The same for a run on this computer; "": `remedy`, with --local."""

    def fix(self, output: str, is_local: bool) -> str:
        """Returns the instruction for an output, ready to paste, as plain text."""
        remedy = self.remedy_here if is_local and self.remedy_here else self.remedy
        if is_local and "--local" not in remedy:
            remedy = remedy.replace("retry-failures OUTPUT", "retry-failures OUTPUT --local")
        return remedy.replace("OUTPUT", output).replace("`", "")


REASON_TEXTS: dict[Reason, ReasonText] = {
    Reason.EMPTY_FILE: ReasonText("the file is empty (0 bytes)", "download the file again"),
    Reason.NOT_A_PDF: ReasonText("the content is not a PDF, whatever the name says", "download the file again"),
    Reason.NO_PAGES: ReasonText("a valid PDF without pages", "download the file again"),
    Reason.CORRUPT: ReasonText(
        "no reader can open the file, or content of a page is missing or cut off", "download the file again"
    ),
    Reason.ENCRYPTED: ReasonText(
        "the file needs a password to open; owner passwords do not matter",
        "`pdfbatch retry-failures OUTPUT --local --reason encrypted --password-file FILE`",
    ),
    Reason.NO_SUCH_PAGE: ReasonText("`--pages` selects pages that the document lacks", "choose other `--pages`"),
    Reason.TOO_LARGE: ReasonText("a page or a bitmap is too large to draw", "make the page smaller"),
    Reason.TIMEOUT: ReasonText(
        "a page took longer than `--page-seconds`",
        "`pdfbatch retry-failures OUTPUT --reason timeout --page-seconds 600`",
    ),
    Reason.CRASHED: ReasonText(
        "a page crashed the process that read it, also when retried",
        "`pdfbatch retry-failures OUTPUT --reason crashed`",
    ),
    Reason.OUT_OF_MEMORY: ReasonText(
        "a page needed more memory than available, also when retried",
        "`pdfbatch retry-failures OUTPUT --reason out_of_memory --instance-type g4dn.2xlarge`",
        "`pdfbatch retry-failures OUTPUT --local --reason out_of_memory --processes 1`",
    ),
    Reason.NEEDS_OCR: ReasonText("a scanned page, and OCR is not installed", "`pip install rapidocr onnxruntime`"),
    Reason.ENGINE_ERROR: ReasonText(
        "the reader failed on the page, or the model returned NaN; `detail` says why",
        "`pdfbatch retry-failures OUTPUT --reason engine_error --engine cpu`; report it if it happens again",
    ),
    Reason.REPETITION: ReasonText(
        "the model repeated itself endlessly, twice; the text before that is kept",
        "`pdfbatch retry-failures OUTPUT --reason repetition --local --engine cpu`",
    ),
    Reason.COMMAND_FAILED: ReasonText(
        "`--command` failed on this document alone, or wrote nothing for it; `detail` has its last line",
        "`pdfbatch retry-failures OUTPUT --reason command_failed`, with another `--command` if this one is wrong",
    ),
    Reason.PROCESSOR_FAILED: ReasonText(
        "a processor of `--also` failed; the Markdown is complete, and `detail` says why its files are not",
        "`pdfbatch retry-failures OUTPUT --reason processor_failed`, with `--also-seconds 3600` after a timeout",
    ),
    Reason.MISSING: ReasonText("the file was deleted before it could be read", "restore it and run again"),
    Reason.STORE_ERROR: ReasonText(
        "the store failed for this document, also when retried",
        "`pdfbatch retry-failures OUTPUT --reason store_error`",
    ),
    Reason.NAME_CLASH: ReasonText(
        "another PDF has the same output, such as `b.pdf` and `b.PDF`; `detail` names it", "rename one of the two"
    ),
    Reason.BAD_NAME: ReasonText(
        "OUTPUT cannot hold a file of this name; `detail` says why", "rename it, or choose an OUTPUT on S3"
    ),
    Reason.ABANDONED: ReasonText(
        "several workers of a pool ended, without a word, while they had the block of this document",
        "`pdfbatch retry-failures OUTPUT --reason abandoned`",
    ),
    Reason.XFA_FORM: ReasonText(
        "a dynamic XFA form; filled-in values are read where possible, the printed text around them is not",
        "print it to a PDF with Acrobat",
    ),
}
