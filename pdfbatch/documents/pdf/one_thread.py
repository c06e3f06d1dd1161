"""One thread for each inference session: child processes are the unit of parallelism here.

By default pymupdf's layout model and rapidocr let onnxruntime start a thread for every core in every process, and the
children compete for the cores. pymupdf has no option for it, so the number is set on the class of the session options.
"""

from __future__ import annotations

import os


def use_one_thread() -> None:
    """Make every session of this process run in the calling thread. Call it before a session is created. Idempotent."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # numpy reads it once, on first import
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # otherwise it sends telemetry since 1.31
    import onnxruntime

    plain = onnxruntime.SessionOptions
    if getattr(plain, "one_thread", False):
        return

    class OneThread(plain):  # type: ignore[misc,valid-type]
        one_thread = True

        def __init__(self) -> None:
            super().__init__()
            self.intra_op_num_threads = 1
            self.inter_op_num_threads = 1

    onnxruntime.SessionOptions = OneThread
