"""A frontal film as it would be if both its sides were like one of them.

Knows pixels alone; knows nothing of what a side shows.
"""

from __future__ import annotations

import numpy as np

from xemplar.records import Image


def doubled(image: Image) -> tuple[Image, Image]:
    """(h, w) -> the patient's left half twice, and the right one twice, each (h, w) and its own mirror image.

    As films are displayed: the patient's left is on the right. A column in the middle stays where it is.
    """
    half = image.shape[1] // 2
    left, right = image.copy(), image.copy()
    if half:
        left[:, :half] = np.fliplr(image[:, -half:])
        right[:, -half:] = np.fliplr(image[:, :half])
    return left, right
