"""Make the network that groups boxes do less work for the same numbers.

Its edge convolutions join each box with each of its 20 neighbours to rows of (box, neighbour - box), and multiply all
these rows by a matrix (A, B). But box A + (neighbour - box) B = box (A - B) + neighbour B: the two products can be
computed once for each box, and only the results need to be joined. Pure: takes and returns the bytes of a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pdfbatch.documents.layout.lighter_network import (
    BYTES,
    GRAPH,
    NODE,
    NODE_ATTRIBUTE,
    NODE_INPUT,
    NODE_KIND,
    NODE_OUTPUT,
    VARINT,
    WEIGHT,
    WEIGHT_BYTES,
    WEIGHT_NAME,
    Field,
    UnknownNetwork,
    bytes_of,
    fields_of,
    values_of,
    varint,
)

WEIGHT_SIDE, WEIGHT_TYPE, FLOAT = 1, 2, b"\x01"
EDGE_CONVOLUTIONS = 2


class _Node(NamedTuple):
    kind: bytes
    inputs: Sequence[bytes]
    outputs: Sequence[bytes]
    attributes: Sequence[bytes] = ()

    @classmethod
    def read(cls, message: bytes) -> _Node:
        fields = list(fields_of(message))
        asked = (NODE_INPUT, NODE_OUTPUT, NODE_ATTRIBUTE)
        return cls(b"".join(values_of(fields, NODE_KIND)), *(values_of(fields, number) for number in asked))

    def field(self) -> Field:
        parts = (
            (NODE_INPUT, self.inputs),
            (NODE_OUTPUT, self.outputs),
            (NODE_KIND, [self.kind]),
            (NODE_ATTRIBUTE, self.attributes),
        )
        return Field(NODE, BYTES, bytes_of(Field(number, BYTES, value) for number, some in parts for value in some))


class _EdgeConvolution(NamedTuple):
    """The nodes of one: two Gathers of the same boxes, their difference, the rows, and the product."""

    own: _Node
    other: _Node
    difference: _Node
    rows: _Node
    product: _Node


def lighter_grouping(model: bytes) -> bytes:
    """Return the lighter model.

    Raises:
        UnknownNetwork: the model has an unknown structure.
    """
    try:
        fields = list(fields_of(model))
        place = next(number for number, field in enumerate(fields) if field.number == GRAPH)
        graph = list(fields_of(fields[place].value))
    except (StopIteration, IndexError, KeyError) as error:
        raise UnknownNetwork(f"not the network this was written for: {error!r}") from error
    nodes = [_Node.read(field.value) for field in graph if field.number == NODE]
    made_by = {output: node for node in nodes for output in node.outputs}
    tensors = [field.value for field in graph if field.number == WEIGHT]
    weights = {values_of(fields_of(tensor), WEIGHT_NAME)[0]: tensor for tensor in tensors}
    found = [one for node in nodes if (one := _edge_convolution(node, made_by))]
    if len(found) != EDGE_CONVOLUTIONS:
        raise UnknownNetwork(f"{len(found)} edge convolutions")
    for one in found:
        graph = _split(graph, one, weights)
    fields[place] = fields[place]._replace(value=bytes_of(graph))
    return bytes_of(fields)


def _edge_convolution(product: _Node, made_by: Mapping[bytes, _Node]) -> _EdgeConvolution | None:
    """Return the edge convolution that ends in this node, if one does."""
    rows = made_by.get(product.inputs[0]) if product.kind == b"Gemm" else None
    if rows is None or rows.kind != b"Concat" or len(rows.inputs) != 2:
        return None
    own, difference = (made_by.get(name) for name in rows.inputs)
    if own is None or difference is None or (own.kind, difference.kind) != (b"Gather", b"Sub"):
        return None
    other = made_by.get(difference.inputs[0])
    same = other is not None and other.kind == b"Gather" and other.inputs[0] == own.inputs[0]
    if other is None or not same or difference.inputs[1] != rows.inputs[0]:
        return None
    return _EdgeConvolution(own, other, difference, rows, product)


def _split(graph: Sequence[Field], one: _EdgeConvolution, weights: Mapping[bytes, bytes]) -> list[Field]:
    """Return the graph with the products computed before the Gathers."""
    boxes = one.own.inputs[0]
    _, weight, bias = one.product.inputs
    matrix = _matrix(weights[weight])
    first, second = np.split(matrix, 2, axis=1)
    (result,) = one.product.outputs
    parts = [weight + b".own", weight + b".other"]
    nodes = [
        _Node(b"Gemm", [boxes, parts[0], bias], [result + b".own"], one.product.attributes),
        _Node(b"Gemm", [boxes, parts[1]], [result + b".other"], one.product.attributes),
        _Node(b"Gather", [result + b".own", one.own.inputs[1]], [result + b".first"], one.own.attributes),
        _Node(b"Gather", [result + b".other", one.other.inputs[1]], [result + b".second"], one.other.attributes),
        _Node(b"Add", [result + b".first", result + b".second"], one.product.outputs),
    ]
    added = [_tensor(parts[0], first - second), _tensor(parts[1], second)]
    gone = {output for node in one for output in node.outputs}
    kept: list[Field] = []
    for field in graph:
        outputs = values_of(fields_of(field.value), NODE_OUTPUT) if field.number == NODE else []
        if not gone.intersection(outputs):
            kept.append(field)
        elif result in outputs:
            kept += [node.field() for node in nodes]
    return [*kept, *added]


def _matrix(tensor: bytes) -> npt.NDArray[np.float32]:
    """Return the 32-bit weights of a matrix."""
    fields = list(fields_of(tensor))
    sides = [_whole(value) for value in values_of(fields, WEIGHT_SIDE)]
    raw = b"".join(values_of(fields, WEIGHT_BYTES))
    if len(sides) != 2 or values_of(fields, WEIGHT_TYPE) != [FLOAT] or len(raw) != 4 * sides[0] * sides[1]:
        raise UnknownNetwork("an edge convolution without a matrix")
    return np.frombuffer(raw, "<f4").reshape(sides)


def _tensor(name: bytes, matrix: npt.NDArray[np.float32]) -> Field:
    sides = [Field(WEIGHT_SIDE, VARINT, varint(side)) for side in matrix.shape]
    values = [
        Field(WEIGHT_TYPE, VARINT, FLOAT),
        Field(WEIGHT_NAME, BYTES, name),
        Field(WEIGHT_BYTES, BYTES, np.ascontiguousarray(matrix, "<f4").tobytes()),
    ]
    return Field(WEIGHT, BYTES, bytes_of([*sides, *values]))


def _whole(number: bytes) -> int:
    return sum((byte & 127) << 7 * place for place, byte in enumerate(number))
