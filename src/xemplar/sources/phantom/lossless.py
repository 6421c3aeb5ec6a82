"""12 bits of grey -> a lossless JPEG (process 14, first-order prediction from the left).

After ITU-T T.81, annex H. Knows arrays and bytes alone. It is here because no library of ours writes
this syntax, and because what is written must be the same bytes on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = 12
_ORDER = (4, 5, 3, 6, 2, 7, 1, 0, 8, 9, 10, 11, 12)
"""Categories of difference, the commonest first."""
_LENGTHS = (2, 3, 3, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10)
"""Of their codes: a prefix code with the word of ones unused, as T.81 wants it."""


def jpeg_lossless(grey: NDArray[np.uint16]) -> bytes:
    """(height, width) of 0 to 4095 -> the whole JPEG file, the same bytes everywhere."""
    height, width = grey.shape
    frame = BITS.to_bytes(1) + height.to_bytes(2) + width.to_bytes(2) + bytes((1, 1, 0x11, 0))
    counts = bytes(_LENGTHS.count(length) for length in range(1, 17))
    parts = [b"\xff\xd8", _segment(0xC3, frame), _segment(0xC4, b"\0" + counts + bytes(_ORDER))]
    parts += [_segment(0xDA, bytes((1, 1, 0, 1, 0, 0))), _entropy(grey), b"\xff\xd9"]
    return b"".join(parts)


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content


def _codes() -> NDArray[np.int64]:
    """The code word of each category, shortest first."""
    words, word, before = np.zeros(len(_ORDER), np.int64), 0, _LENGTHS[0]
    for category, length in zip(_ORDER, _LENGTHS, strict=True):
        word <<= length - before
        words[category], before = word, length
        word += 1
    return words


def _entropy(grey: NDArray[np.uint16]) -> bytes:
    """Differences from the left neighbour (in the first column from above), coded and stuffed."""
    values = grey.astype(np.int64)
    ahead = np.empty_like(values)
    ahead[:, 1:] = values[:, :-1]
    ahead[1:, 0] = values[:-1, 0]
    ahead[0, 0] = 1 << (BITS - 1)
    step = (values - ahead).ravel()
    # frexp's exponent is the number of bits of an integer this small, 0 for 0.
    category = np.frexp(np.abs(step).astype(np.float64))[1].astype(np.int64)
    sizes = np.zeros(len(_ORDER), np.int64)
    sizes[list(_ORDER)] = _LENGTHS
    extra = np.where(step < 0, step + (1 << category) - 1, step)
    words, lengths = (_codes()[category] << category) | extra, sizes[category] + category
    ends = np.cumsum(lengths)
    place = ends.repeat(lengths) - np.arange(ends[-1]) - 1
    bits = (words.repeat(lengths) >> place) & 1
    padded = np.concatenate([bits, np.ones(-len(bits) % 8, np.int64)]).astype(np.uint8)
    return np.packbits(padded).tobytes().replace(b"\xff", b"\xff\x00")
