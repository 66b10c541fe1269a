"""Reader of TensorFlow checkpoints ("tensor bundles") that does not need TensorFlow.

The index is an uncompressed sorted-string table (LevelDB's format): blocks of keys and values, an index block, and a
footer. A key is a tensor's name, a value a small Protocol Buffers message (`BundleEntryProto`): type, shape, and the
offset and size of the little-endian values in the data file.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES = 48
UNCOMPRESSED = 0
FLOAT32 = 1  # TensorFlow's constant of the type
MAX_INDEX_BYTES = 10_000_000
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types of Protocol Buffers

Fields = dict[int, list[int | bytes]]


def read_bundle(index: Path, data: Path, wanted: Callable[[str], bool]) -> dict[str, np.ndarray]:
    """Return the float32 tensors whose names are `wanted`; tensors of other types are left out.

    Raises `OSError` if a file cannot be read, `ValueError` if one is damaged or not supported.
    """
    if index.stat().st_size > MAX_INDEX_BYTES:
        raise ValueError(f"{index} is larger than an index of a checkpoint")
    table, size = index.read_bytes(), data.stat().st_size
    tensors = {}
    with data.open("rb") as file:
        try:
            for key, value in _entries(table):
                entry = _fields(value)
                name = key.decode()
                if not name or entry.get(1) != [FLOAT32] or not wanted(name):  # the empty key is the header
                    continue
                shape = [_number(_fields(dim), 1) for dim in _messages(entry, 2)]
                offset, count = _number(entry, 4), _number(entry, 5)
                if count != 4 * math.prod(shape) or offset + count > size or _number(entry, 3):
                    raise ValueError(f"{name} is not within the data")
                file.seek(offset)
                tensors[name] = np.frombuffer(file.read(count), "<f4").astype(np.float32).reshape(shape)
        except (IndexError, UnicodeDecodeError, ValueError) as error:
            raise ValueError(f"{index} is not the index of a checkpoint, or is damaged ({error})") from None
    return tensors


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a sorted-string table."""
    footer = table[-FOOTER_BYTES:]
    if int.from_bytes(footer[-8:], "little") != MAGIC:
        raise ValueError("its footer is not that of a sorted-string table")
    _, place = _varint(footer, 0)  # offset and size of the metadata block
    _, place = _varint(footer, place)
    for _, handle in _block(table, footer[place:]):
        yield from _block(table, handle)


def _block(table: bytes, handle: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of the block at `handle` (offset, size)."""
    offset, place = _varint(handle, 0)
    size, _ = _varint(handle, place)
    if table[offset + size] != UNCOMPRESSED:
        raise ValueError("a block is compressed")
    block = table[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    end, place, key = size - 4 - 4 * restarts, 0, b""
    while place < end:
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        length, place = _varint(block, place)
        key = key[:shared] + block[place : place + own]
        place += own
        yield key, block[place : place + length]
        place += length


def _fields(message: bytes) -> Fields:
    """Return the values of a Protocol Buffers message by field number."""
    fields: Fields = {}
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        value: int | bytes
        if kind == VARINT:
            value, place = _varint(message, place)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
            value = int.from_bytes(message[place : place + length], "little")
            place += length
        elif kind == BYTES:
            length, place = _varint(message, place)
            value = message[place : place + length]
            place += length
        else:
            raise ValueError(f"a field has the wire type {kind}")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _number(fields: Fields, number: int) -> int:
    """Return a numeric field; 0, the format's default, if it is missing."""
    value = fields.get(number, [0])[-1]
    if not isinstance(value, int):
        raise ValueError(f"field {number} is not a number")
    return value


def _messages(fields: Fields, number: int) -> list[bytes]:
    """Return the dimensions of the shape in field `number`."""
    shapes = [shape for shape in fields.get(number, []) if isinstance(shape, bytes)]
    return [dim for shape in shapes for dim in _fields(shape).get(2, []) if isinstance(dim, bytes)]


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Return the varint at `place`, seven bits per byte, and its end."""
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place
