"""Detection of truncated files by their structure: they may decode without an error, or not open at all.

WebM with a complete header, FLAC, AIFF and MP3 with a Xing header state their length at the beginning: decoding shows
whether they are complete. Raw AAC and MPEG transport streams have no information about their end.
"""

import struct
from pathlib import Path
from typing import BinaryIO

MP4_HEADER = 8  # bytes: length, name
OGG_HEADER = 27  # bytes, before the table of segments
RIFF_HEADER = 8  # bytes: name, length
UNKNOWN_LENGTHS = (0, 0xFFFFFFFF)  # of a RIFF file written as a stream
EBML_HEADER = 12  # bytes at most: id, length
EBML = b"\x1a\x45\xdf\xa3"  # ids of elements (RFC 8794 and 9559)
SEGMENT = b"\x18\x53\x80\x67"
CLUSTER = b"\x1f\x43\xb6\x75"


def is_cut_off(path: Path) -> bool:
    """Return whether an MP4, Ogg or WAV file is truncated, or the header of a WebM file; False for other formats."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if start[4:8] == b"ftyp":
            return _mp4(file, size)
        if start[:4] == b"OggS":
            return _ogg(file, size)
        if start[:4] == EBML:
            return _webm(file, size)
        return start[:4] == b"RIFF" and start[8:12] == b"WAVE" and _wav(start, size)


def _mp4(file: BinaryIO, size: int) -> bool:
    """Return whether the file ends before its box `moov` does, which has the length (ISO/IEC 14496-12, 4.2 and 8.2)."""
    start = 0
    while start + MP4_HEADER <= size:
        file.seek(start)
        length, name = struct.unpack(">I4s", file.read(MP4_HEADER))
        if length == 1 and start + 16 <= size:
            (length,) = struct.unpack(">Q", file.read(8))
        if length < MP4_HEADER:  # 0: to the end of the file; 1 to 7: damaged
            return name != b"moov"
        start += length
        if name == b"moov":
            return start > size
    return True


def _ogg(file: BinaryIO, size: int) -> bool:
    """Return whether the file ends inside a page (RFC 3533, 6)."""
    start = 0
    while start < size:
        file.seek(start)
        header = file.read(OGG_HEADER)
        if header[:4] != b"OggS"[: len(header)]:  # other data after the last page
            return False
        if len(header) < OGG_HEADER:
            return True
        segments = file.read(header[26])
        start += OGG_HEADER + header[26] + sum(segments)
    return start > size


def _webm(file: BinaryIO, size: int) -> bool:
    """Return whether the file ends before its first cluster."""
    start = 0
    while start < size:
        file.seek(start)
        header = file.read(EBML_HEADER)
        width = 9 - header[0].bit_length()  # of the id, given by its first byte, as for the length
        name, rest = header[:width], header[width:]
        if name == CLUSTER or width > 4:  # or damaged
            return False
        if not rest:
            return True
        width_of_length = 9 - rest[0].bit_length()
        start += width + width_of_length
        if name != SEGMENT:  # the segment's elements follow
            start += int.from_bytes(rest[:width_of_length], "big") & (1 << 7 * width_of_length) - 1
    return True


def _wav(start: bytes, size: int) -> bool:
    (length,) = struct.unpack("<I", start[4:8])
    return length not in UNKNOWN_LENGTHS and size + 1 < RIFF_HEADER + length  # the last padding byte is often missing
