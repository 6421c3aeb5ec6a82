"""Bytes -> preview: one canonical image, bone bright, and what was done to it.

Everything is ever encoded from previews alone: `read_preview` makes one at ingest and at query, and
`model_input` makes a model's input of it. Knows PNG, JPEG, TIFF, WebP and single-frame
DICOM; knows nothing of corpora, models or reports.
"""

from xemplar.images.marks import DOMAIN_KEY, mark_dataset
from xemplar.images.preview import (
    Preview,
    PreviewSpec,
    film_of,
    image_of,
    load_film,
    model_input,
    preview_from_array,
    read_file,
    read_preview,
    size_of,
)

__all__ = [
    "DOMAIN_KEY",
    "Preview",
    "PreviewSpec",
    "film_of",
    "image_of",
    "load_film",
    "mark_dataset",
    "model_input",
    "preview_from_array",
    "read_file",
    "read_preview",
    "size_of",
]
