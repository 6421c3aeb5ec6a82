"""An archive opened from its folders, each checked against the others.

Knows where corpus, model, index and calibration lie, and which fits which.
"""

from __future__ import annotations

import os
from pathlib import Path

from xemplar import classify as classifying
from xemplar import drafting
from xemplar.archive.facade import Archive
from xemplar.check import open_limits
from xemplar.corpus import Corpus
from xemplar.drafting.calibration import Calibration
from xemplar.drafting.gate import open_gate
from xemplar.drafting.gate.fitted import NAME as GATE
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import read_manifest
from xemplar.index import PREPARED, VERSION, fitted_to, open_index
from xemplar.parts import Parts


def open_archive(
    index: Path | str,
    *,
    corpus: Path | str | None = None,
    model: Path | str | None = None,
    calibration: Path | str | None = None,
    calibrated: bool = True,
) -> Archive:
    """Open an index folder with the corpus and model its manifest names, or with those given.

    A `calibration` folder beside the index is taken where none is named, and none at all where
    `calibrated` is false. Whatever doesn't fit is refused, naming both sides.
    """
    from xemplar.models.system import open_system  # torch is loaded only once a model is wanted

    folder = Path(index)
    manifest = read_manifest(folder, "index.json", kind="index", version=VERSION)
    places = {name: _tidy(folder / origin) for name, origin in manifest["origins"].items()}
    for name, given in (("corpus", corpus), ("model", model)):
        if given is not None:
            places[name] = Path(given)
        elif name not in places:
            raise XemplarError(
                f"the index does not say where its {name} lies",
                where=str(folder),
                remedy=f"name it: --{name}",
            )
        elif not places[name].is_dir():
            raise XemplarError(
                f"no {name} folder where the index says it is",
                where=str(places[name]),
                remedy=f"name where it is now: --{name}, or open(index, {name}=...)",
            )
    opened = Corpus.open(places["corpus"])
    encoder, stages = open_system(places["model"])
    found = open_index(folder, opened, encoder)
    # Where nothing can be written, what is prepared is held in memory.
    kept = folder / PREPARED if os.access(folder, os.W_OK) else None
    archive = Archive(opened, encoder, found, stages=stages, kept=kept)
    named = {"index": index, "corpus": corpus, "model": model, "calibration": calibration}
    archive.folders = {name: None if place is None else str(place) for name, place in named.items()}
    if calibrated:
        _calibrate_from(archive, calibration, folder.parent / "calibration")
    return archive


def _tidy(path: Path) -> Path:
    """The path without its "..", where that is the same place: where links lead elsewhere, it isn't."""
    short = Path(os.path.normpath(path))
    return short if short.resolve() == path.resolve() else path


def _calibrate_from(archive: Archive, named: Path | str | None, beside: Path) -> None:
    """Take the calibration named, or the one beside the index; one nobody named stops drafting alone."""
    if named is None and not beside.is_dir():
        return
    folder, index = Path(named or beside), fitted_to(archive.index)
    missing: XemplarError | None = None
    try:
        parts = drafting.open_parts(folder)
        try:
            archive.classify_by(classifying.open_fitted(parts, index=index))
        except XemplarError as error:
            missing = classifying.unfit(archive.corpus, archive.index) or error
            archive.classify_not(missing)
        archive.gatekeeper.gate = open_gate(parts, index=index)
        fitting = _fitting(archive, parts, missing)
        if archive.gatekeeper.gate is None and fitting.promise is not None:
            raise MismatchError(
                f"a promise without {GATE}, so that nothing says how proper films look", where=str(folder),
                remedy="run `xemplar calibrate` again",
            )  # fmt: skip
        archive.check_limits = open_limits(parts, index=index)
        archive.calibration = fitting
    except XemplarError as error:
        if named is not None:
            raise
        archive.uncalibrated = error
        archive.classify_not(error)


def _fitting(archive: Archive, parts: Parts, missing: XemplarError | None) -> Calibration:
    """The parts' calibration; where it wants what a `missing` classifier has learnt, that one's error."""
    names = archive.evidence.names if archive.evidence else drafting.FEATURES
    index = fitted_to(archive.index)
    try:
        return drafting.open_calibration(parts, index=index, names=names)
    except MismatchError:
        features = tuple(parts.manifest.get("features", ()))
        if missing is None or len(features) <= len(names) or features[: len(names)] != names:
            raise
    drafting.open_calibration(parts, index=index, names=features)  # refused for any other reason: that one
    raise type(missing)(
        missing.found, wanted=missing.wanted, where=missing.where, remedy="run `xemplar calibrate` again"
    )
