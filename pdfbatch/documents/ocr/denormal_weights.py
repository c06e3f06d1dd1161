"""Set weights to zero that are too small for a processor's fast path.

Training left a quarter of a million weights of 1e-40 in RapidOCR's detector. Processors multiply such numbers a hundred
times as slowly, so two of its layers took three quarters of its time; beside the other weights they are negligible.
Pure: takes and returns the bytes of a model.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pdfbatch.documents.layout.lighter_network import BYTES, GRAPH, WEIGHT, WEIGHT_BYTES, Field, bytes_of, fields_of

WEIGHT_TYPE, FLOAT = 2, b"\x01"
SMALLEST = float(np.finfo(np.float32).smallest_normal)


def without_denormals(model: bytes) -> bytes:
    """Return the ONNX model with its denormal 32-bit weights set to zero."""
    return bytes_of(_changed(field, GRAPH, _graph) for field in fields_of(model))


def _graph(graph: bytes) -> bytes:
    return bytes_of(_changed(field, WEIGHT, _weight) for field in fields_of(graph))


def _weight(tensor: bytes) -> bytes:
    fields = list(fields_of(tensor))
    if not any(field.number == WEIGHT_TYPE and field.value == FLOAT for field in fields):
        return tensor
    return bytes_of(_changed(field, WEIGHT_BYTES, _flushed) for field in fields)


def _flushed(raw: bytes) -> bytes:
    values = np.frombuffer(raw, np.dtype("<f4"))
    return np.where(np.abs(values) < SMALLEST, np.float32(0), values).astype("<f4").tobytes()


def _changed(field: Field, number: int, change: Callable[[bytes], bytes]) -> Field:
    matches = field.number == number and field.wire == BYTES
    return field._replace(value=change(field.value)) if matches else field
