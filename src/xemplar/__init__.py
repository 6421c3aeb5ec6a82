"""Xemplar: draft, search and check chest-radiograph reports by precedent.

>>> archive = xemplar.open("index/")              # doctest: +SKIP
>>> draft = archive.draft(archive.load_film("case.dcm"))  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xemplar.archive import Archive
    from xemplar.archive import open_archive as open
    from xemplar.images import load_film as load_image

__version__ = "0.1.0"
__all__ = ["Archive", "__version__", "load_image", "open"]

_FOUND_IN = {
    "Archive": ("xemplar.archive", "Archive"),
    "open": ("xemplar.archive", "open_archive"),
    "load_image": ("xemplar.images", "load_film"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name stands for
    # Loaded when first asked for, so that `import xemplar` and `xemplar --help` stay quick.
    if name not in _FOUND_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _FOUND_IN[name]
    return getattr(import_module(module), attribute)
