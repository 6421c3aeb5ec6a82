"""Real DICOM files: the values that an independent reader (SimpleITK: ITK, GDCM) hands over, shown by a
display pipeline of the test's own, or the one sentence that says why there is no picture.
"""

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from xemplar.errors import ImageError
from xemplar.images import PreviewSpec, read_preview

SPEC = PreviewSpec()
REFUSED = {
    "examples_ybr_color": "a multi-frame object of 30 frames; wanted one frame",
    "no_meta": "looks like unknown binary data;",
    "meta_missing_tsyntax": "pixel data without its Rows",
    "MR_truncated": r"pixel data \(7FE0,0010\) of 8130 bytes, cut short; wanted 8192",
    "badVR": "RT Dose Storage: its pixels are not a picture",
    "rtplan": r"RT Plan Storage: no pixel data \(7FE0,0010\)",
    "reportsi": r"Basic Text SR Storage: no pixel data \(7FE0,0010\)",
    "sr_document": r"Comprehensive 3D SR Storage: no pixel data \(7FE0,0010\)",
    "liver_1frame": "Segmentation Storage: its pixels are not a picture",
}
LOSSY_GREYS = 4
"""Of 255: how far a picture that was decoded at a lower resolution may lie from the other's, on average."""


def rows():
    root = os.environ.get("XEMPLAR_DATA")
    if not root:
        return [pytest.param(None, None, marks=pytest.mark.skip(reason="XEMPLAR_DATA is not set"))]
    with (Path(root) / "dicom/metadata.csv").open() as file:
        return [
            pytest.param(Path(root) / "dicom" / row["file"], row, id=Path(row["file"]).stem)
            for row in csv.DictReader(file)
        ]


def values(path):
    """Modality values, or (h, w, 3) colours, as SimpleITK reads them."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    return np.squeeze(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))).astype(np.float64)


def displayed(array, header):
    """[0, 1] after PS3.3 C.11, in the plainest numpy."""
    if array.ndim == 3:
        return array @ [0.299, 0.587, 0.114] / 255
    if "ModalityLUTSequence" in header:
        # ITK applies no modality table.
        table = header.ModalityLUTSequence[0]
        array = np.array(table.LUTData)[
            np.clip(array - table.LUTDescriptor[1], 0, len(table.LUTData) - 1).astype(int)
        ]
    if "VOILUTSequence" in header:
        table = header.VOILUTSequence[0]
        places = np.clip(array - table.LUTDescriptor[1], 0, len(table.LUTData) - 1).astype(int)
        shown = np.array(table.LUTData)[places] / (2 ** table.LUTDescriptor[2] - 1)
    elif "WindowCenter" in header:
        centre, width = (
            np.atleast_1d(header[word].value).astype(float)[0] for word in ("WindowCenter", "WindowWidth")
        )
        shown = np.clip((array - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
    else:
        film = array
        ring = np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])
        near = np.abs(array - np.sort(ring)[(len(ring) - 1) // 2]) <= np.ptp(array) / 256
        if near[0].sum() + near[-1].sum() + near[:, 0].sum() + near[:, -1].sum() >= len(ring) / 2:
            film = array[~near]
        ends = (
            np.percentile(film, 0.5, method="inverted_cdf"),
            -np.percentile(-film, 0.5, method="inverted_cdf"),
        )
        shown = np.clip((array - ends[0]) / (ends[1] - ends[0]), 0, 1)
    return 1 - shown if header.PhotometricInterpretation == "MONOCHROME1" else shown


def squared(shown):
    """Longer side 384, centred on black."""
    height, width = (round(side * SPEC.size / max(shown.shape)) for side in shown.shape)
    grows = max(shown.shape) < SPEC.size
    small = cv2.resize(shown, (width, height), interpolation=cv2.INTER_LINEAR if grows else cv2.INTER_AREA)
    square = np.zeros((SPEC.size, SPEC.size))
    top, left = (SPEC.size - height) // 2, (SPEC.size - width) // 2
    square[top : top + height, left : left + width] = small
    return 255 * square


@pytest.mark.shared
@pytest.mark.parametrize(("path", "row"), rows())
def test_real_file_gives_the_other_readers_picture_or_one_sentence(path, row):
    if path.stem in REFUSED:
        with pytest.raises(ImageError, match=f"^{path.name}: {REFUSED[path.stem]}"):
            read_preview(path, SPEC)
        return
    ours = read_preview(path, SPEC)
    assert (ours.history.height, ours.history.width) == (int(row["rows"]), int(row["columns"]))
    header, theirs = pydicom.dcmread(path), values(path)
    if header.PhotometricInterpretation == "MONOCHROME1":
        # ITK turns it already, within its stored bits; what it turned is turned back.
        theirs = (1 << header.BitsStored) - 1 - theirs
    differing = np.abs(ours.pixels - squared(displayed(theirs, header)))
    if any(step.startswith("decoded at") for step in ours.history.steps):
        assert differing.mean() < LOSSY_GREYS
    else:
        # Rounded once, or twice where colours became grey.
        assert differing.max() <= (1.5 if theirs.ndim == 3 else 1.01)


def test_jpeg_of_twelve_bits():
    # No encoder here makes one; pydicom brings this one along.
    path = Path(pydicom.__file__).parent / "data/test_files/JPGExtended.dcm"
    ours = read_preview(path, SPEC)
    assert ours.history.transfer_syntax == "1.2.840.10008.1.2.4.51"
    assert np.abs(ours.pixels - squared(displayed(values(path), pydicom.dcmread(path)))).max() <= 1.01
