"""Make the layout model's image network do less work for the same numbers.

Two parts of it take longer than all the rest. A PRelu with one slope is a LeakyRelu, which onnxruntime fuses into the
convolution before it. And five small maps are enlarged and concatenated to 57 MB, most of which is never used: here
they are returned small, and enlarged by OpenCV, see model.py.

Works on the bytes of the model, so the onnx package is not needed. The wire format follows
https://protobuf.dev/programming-guides/encoding, the field numbers
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

GRAPH = 7
NODE, WEIGHT, OUTPUT = 1, 5, 12
NODE_INPUT, NODE_OUTPUT, NODE_KIND, NODE_ATTRIBUTE = 1, 2, 4, 5
WEIGHT_NAME, WEIGHT_BYTES = 8, 9
OUTPUT_NAME, OUTPUT_TYPE = 1, 2
ATTRIBUTE_NAME, ATTRIBUTE_FLOAT, ATTRIBUTE_TYPE, TYPE_FLOAT = 1, 2, 20, b"\x01"
ENLARGED = b"combined"
"""The output that concatenates the enlarged maps."""
VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5


class UnknownNetwork(ValueError):
    """The model does not have the structure that this module expects."""


class Field(NamedTuple):
    number: int
    wire: int
    value: bytes
    """As in the file, without its length prefix."""


class Lighter(NamedTuple):
    """The bytes of a model, and which of its outputs are the small maps, in the order to concatenate them."""

    model: bytes
    maps: list[str]


def lighter(model: bytes) -> Lighter:
    """Return the lighter model.

    Raises:
        UnknownNetwork: the model has an unknown structure.
    """
    try:
        fields = list(fields_of(model))
        place = next(number for number, field in enumerate(fields) if field.number == GRAPH)
        graph = list(fields_of(fields[place].value))
        weights = dict(_weight(field.value) for field in graph if field.number == WEIGHT)
        graph = [_with_leaky_relu(field, weights) if field.number == NODE else field for field in graph]
        graph, maps = _with_small_maps(graph)
    except (StopIteration, IndexError, KeyError) as error:
        raise UnknownNetwork(f"not the network this was written for: {error!r}") from error
    fields[place] = fields[place]._replace(value=bytes_of(graph))
    return Lighter(bytes_of(fields), [name.decode() for name in maps])


def _with_leaky_relu(node: Field, weights: dict[bytes, bytes]) -> Field:
    fields = list(fields_of(node.value))
    if values_of(fields, NODE_KIND) != [b"PRelu"]:
        return node
    values, slope = values_of(fields, NODE_INPUT)
    if len(weights[slope]) != 4:
        raise UnknownNetwork("a PRelu with several slopes")
    alpha = [
        Field(ATTRIBUTE_NAME, BYTES, b"alpha"),
        Field(ATTRIBUTE_FLOAT, FOUR_BYTES, weights[slope]),
        Field(ATTRIBUTE_TYPE, VARINT, TYPE_FLOAT),
    ]
    kept = [field for field in fields if field.number not in (NODE_INPUT, NODE_KIND)]
    made = [
        Field(NODE_INPUT, BYTES, values),
        *kept,
        Field(NODE_KIND, BYTES, b"LeakyRelu"),
        Field(NODE_ATTRIBUTE, BYTES, bytes_of(alpha)),
    ]
    return node._replace(value=bytes_of(made))


def _with_small_maps(graph: Sequence[Field]) -> tuple[list[Field], list[bytes]]:
    """Return the graph without the nodes that make `combined`, and with the small maps as outputs."""
    nodes = {values_of(fields, NODE_OUTPUT)[0]: fields for fields in _nodes(graph)}
    enlarged = values_of(nodes[ENLARGED], NODE_INPUT)
    if {values_of(nodes[name], NODE_KIND)[0] for name in enlarged} != {b"Resize"}:
        raise UnknownNetwork("maps that are not only enlarged")
    maps = [values_of(nodes[name], NODE_INPUT)[0] for name in enlarged]
    gone = {ENLARGED, *enlarged}
    kept: list[Field] = []
    for field in graph:
        if field.number == NODE and values_of(fields_of(field.value), NODE_OUTPUT)[0] in gone:
            continue
        if field.number == OUTPUT and values_of(fields_of(field.value), OUTPUT_NAME) == [ENLARGED]:
            kept += [Field(OUTPUT, BYTES, bytes_of([Field(OUTPUT_NAME, BYTES, name), _FLOATS])) for name in maps]
        else:
            kept.append(field)
    return kept, maps


_FLOATS = Field(OUTPUT_TYPE, BYTES, b"\x0a\x02\x08\x01")
"""A tensor of floats with an open shape."""


def _weight(tensor: bytes) -> tuple[bytes, bytes]:
    fields = list(fields_of(tensor))
    return values_of(fields, WEIGHT_NAME)[0], b"".join(values_of(fields, WEIGHT_BYTES))


def _nodes(graph: Iterable[Field]) -> Iterator[list[Field]]:
    return (list(fields_of(field.value)) for field in graph if field.number == NODE)


def values_of(fields: Iterable[Field], number: int) -> list[bytes]:
    return [field.value for field in fields if field.number == number]


def fields_of(message: bytes) -> Iterator[Field]:
    """Yield the fields of a protobuf message, in order."""
    place = 0
    while place < len(message):
        key, place = _number(message, place)
        number, wire = key >> 3, key & 7
        if wire == BYTES:
            length, place = _number(message, place)
            end = place + length
        elif wire == VARINT:
            end = _number(message, place)[1]
        else:
            end = place + {FOUR_BYTES: 4, EIGHT_BYTES: 8}[wire]
        yield Field(number, wire, message[place:end])
        place = end


def bytes_of(fields: Iterable[Field]) -> bytes:
    """Encode the fields as a message."""
    parts: list[bytes] = []
    for number, wire, value in fields:
        parts.append(varint(number << 3 | wire))
        if wire == BYTES:
            parts.append(varint(len(value)))
        parts.append(value)
    return b"".join(parts)


def _number(message: bytes, place: int) -> tuple[int, int]:
    """Return the varint at a position, and where it ends."""
    number = shift = 0
    while True:
        byte = message[place]
        place += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, place


def varint(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])
