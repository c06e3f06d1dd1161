"""What each reason means and what a person can do about it, in a line each."""

from __future__ import annotations

from typing import NamedTuple

from pdfbatch.records.base import Reason


class ReasonText(NamedTuple):
    meaning: str
    remedy: str
    """An order in Markdown, without a full stop: commands stand in backticks."""


REASON_TEXTS: dict[Reason, ReasonText] = {
    Reason.EMPTY_FILE: ReasonText("the file has no bytes", "fetch the file again"),
    Reason.NOT_A_PDF: ReasonText("the content is no PDF, whatever the name says", "fetch the file again"),
    Reason.NO_PAGES: ReasonText("a valid PDF without pages", "fetch the file again"),
    Reason.CORRUPT: ReasonText(
        "no reader can open the file, or contents of a page are lost or cut off", "fetch the file again"
    ),
    Reason.ENCRYPTED: ReasonText(
        "a password is needed to open the file; owner passwords do not matter",
        "`pdfbatch retry-failures OUTPUT --local --reason encrypted --password-file FILE`",
    ),
    Reason.NO_SUCH_PAGE: ReasonText("`--pages` asks for pages that the document has not", "choose other `--pages`"),
    Reason.TOO_LARGE: ReasonText("a page or a bitmap is too large to draw", "make the page smaller"),
    Reason.TIMEOUT: ReasonText(
        "a page took longer than `--page-seconds`",
        "`pdfbatch retry-failures OUTPUT --reason timeout --page-seconds 600`",
    ),
    Reason.CRASHED: ReasonText(
        "a page killed the process that read it, also when tried again",
        "`pdfbatch retry-failures OUTPUT --reason crashed`",
    ),
    Reason.OUT_OF_MEMORY: ReasonText(
        "a page needed more memory than there is, also when tried again",
        "`pdfbatch retry-failures OUTPUT --reason out_of_memory --instance-type g4dn.2xlarge`",
    ),
    Reason.NEEDS_OCR: ReasonText("a scanned page, and OCR is not installed", "`pip install rapidocr onnxruntime`"),
    Reason.ENGINE_ERROR: ReasonText(
        "the reader refused the page, or the model returned no numbers; `detail` says why",
        "`pdfbatch retry-failures OUTPUT --reason engine_error --engine cpu`; report it if it stays",
    ),
    Reason.REPETITION: ReasonText(
        "the model repeated itself without end, twice; the text before that is kept",
        "`pdfbatch retry-failures OUTPUT --reason repetition --local --engine cpu`",
    ),
    Reason.MISSING: ReasonText("the PDF was gone when its turn came", "put it back and run again"),
    Reason.STORE_ERROR: ReasonText(
        "the store failed for this document, also when tried again",
        "`pdfbatch retry-failures OUTPUT --reason store_error`",
    ),
    Reason.NAME_CLASH: ReasonText(
        "another PDF has the same output, as `b.pdf` and `b.PDF`; `detail` names it", "rename one of the two"
    ),
    Reason.XFA_FORM: ReasonText(
        "a dynamic XFA form; what is filled in is read where possible, what is printed around it is not",
        "print it to a PDF with Acrobat",
    ),
}
