"""Which files of a calibration folder are a calibration's: those alone are ever removed.

Knows names, manifests and generations; knows nothing of what is fitted. A generation is a folder of six
digits, and so may be somebody else's: it is ours where the manifest lists its files, or where it holds
nothing but parts of our kinds, which nobody listed since their writer was stopped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from xemplar.contracts import Json
from xemplar.folders import check_new, describe_file, is_whole, read_unchecked, sync_below, sync_folder

NAME, VERSION = "calibration.json", 1

PARTS = {"gate.json": "gate", "check.json": "check", "classifier.json": "classifier"}
"""Name of each part -> the kind of its manifest."""

_STAGE = r"\.(\d{6}|calibration\.json)\.\d+\.tmp"


def check_place(folder: Path) -> Json:
    """The manifest of the calibration to be replaced; empty where there is none, or it is damaged.

    Refused where the folder holds anything else than a calibration.
    """
    if (folder / NAME).exists():
        manifest, data = read_unchecked(folder, NAME, kind="calibration", version=VERSION)
        return manifest if is_whole(manifest, data) else {}
    if folder.is_dir():
        ours = "|".join(one.name for one in _generations(folder) if _is_ours(one))
        check_new(folder, but=ours)
    return {}


def write_generation(folder: Path, before: Json, parts: Callable[[Path], None]) -> tuple[int, Json]:
    """A new generation's number, and its files as a manifest lists them; it is there whole or not at all.

    What stopped writers left is removed first. `before` is the manifest that is to be replaced.
    """
    _clear(folder, before)
    numbers = [int(one.name) for one in _generations(folder)]
    number = 1 + max([*numbers, int(before.get("generation", 0))])
    stage, place = folder / f".{number:06d}.{os.getpid()}.tmp", folder / f"{number:06d}"
    stage.mkdir()
    try:
        parts(stage)
        sync_below(stage)
        written = sorted(stage.glob("*.json"))
        files = {f"{place.name}/{path.name}": describe_file(path) for path in written}
        if files:
            stage.rename(place)
            sync_folder(folder)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return number, files


def remove_replaced(folder: Path, before: Json) -> None:
    """Remove what `before` listed; and of a program that listed nothing the parts that it wrote beside."""
    if not before:
        return
    if "files" not in before:
        for name in PARTS:
            if _is_part(folder / name):
                (folder / name).unlink()
        return
    for generation in _listed(before):
        place = folder / generation
        for name in (*PARTS, ".lock"):
            (place / name).unlink(missing_ok=True)
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _clear(folder: Path, before: Json) -> None:
    for path in folder.iterdir():
        if re.fullmatch(_STAGE, path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for place in _generations(folder):
        if place.name not in _listed(before) and _is_ours(place):
            shutil.rmtree(place)


def _listed(manifest: Json) -> set[str]:
    """Names of the generations that a manifest lists parts of."""
    named = (name.partition("/") for name in manifest.get("files", {}))
    return {place for place, _, name in named if re.fullmatch(r"\d{6}", place) and name in PARTS}


def _generations(folder: Path) -> list[Path]:
    return [one for one in folder.glob("[0-9]" * 6) if one.is_dir() and not one.is_symlink()]


def _is_ours(place: Path) -> bool:
    held = [path for path in place.iterdir() if path.name != ".lock"]
    return bool(held) and all(_is_part(path) for path in held)


def _is_part(path: Path) -> bool:
    if path.name not in PARTS or not path.is_file():
        return False
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("kind") == PARTS[path.name]
