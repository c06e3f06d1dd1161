"""What the children of a test's own process find loaded: all that a worker's do, and the tasks."""

import pdfbatch.documents.preload  # noqa: F401
import tests.worker.page_tasks  # noqa: F401
