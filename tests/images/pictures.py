"""Pictures as files, whole and damaged, for the tests of the images room."""

import io

import numpy as np

from xemplar.errors import ImageError


def saved(picture, kind="PNG", **settings):
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


def refused_when_damaged(preview, whole, copies):
    """How many copies of a file, four bytes of each drawn anew, are refused; another error goes through."""
    draw, refused = np.random.default_rng(5), 0
    for _ in range(copies):
        data = bytearray(whole)
        for at in draw.integers(3, len(data), 4):
            data[at] = draw.integers(256)
        try:
            preview(bytes(data))
        except ImageError:
            refused += 1
    return refused
