"""An entry made ready to be asked: trained, or its encoder taken from another; indexed; calibrated.

Knows where an entry's folders lie and in what order they come about; asks nothing. What is done already
is found again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from xemplar.archive import Archive, calibrate
from xemplar.contracts import Encoder, Json
from xemplar.corpus import Corpus
from xemplar.drafting.truth import held_to_report
from xemplar.errors import XemplarError
from xemplar.evaluation.benchmark.plan import Entry, recipe_of
from xemplar.evaluation.benchmark.steps import Steps
from xemplar.folders import read_manifest
from xemplar.index import Index, build_index, open_index
from xemplar.training.recipe import Recipe

FOLDERS = {"linear": "linear", "matching": "reranker", "neighbours": "neighbours"}
"""Table of a recipe -> the folder below a model's in which its stage lies."""

Trainer = Callable[..., object]
"""(corpus, recipe, folder, *, recipe_text): trains every stage that isn't there yet into a model folder."""


@dataclass(eq=False)
class System:
    """What is asked: an archive, and what was learnt of it on the way."""

    entry: Entry
    archive: Archive
    folder: Path
    """Of the entry: runs/<name>."""
    model: Json
    recipe: Recipe | None = None
    notes: dict[str, str] = field(default_factory=dict)
    """What can't be asked of it, and why."""


def prepared(
    entry: Entry, corpus: Corpus, runs: Path, *, steps: Steps, train: Trainer | None = None
) -> System:
    """Train, index and calibrate an entry on a corpus; `train` stands in for the training of a recipe."""
    from xemplar.models.system import open_system  # torch is loaded only once a model is wanted

    folder, recipe = runs / entry.name, None
    if entry.model is None:
        recipe = recipe_of(entry)
        with steps.step("train"):
            model = trained(entry, corpus, runs, train=train)
    else:
        model = entry.model
    encoder, stages = open_system(model)
    if recipe is not None:
        stages = replace(stages, assembly=recipe.assembly)
    with steps.step("index"):
        index = _indexed(entry, corpus, runs, encoder=encoder)
    archive = Archive(corpus, encoder, index, stages=stages)
    manifest = read_model(model)
    system = System(entry, archive, folder, manifest, recipe)
    if archive.assembly.policy == "evidence":
        with steps.step("calibrate"):
            _calibrated(system)
    return system


def read_model(folder: Path) -> Json:
    """A model folder's manifest, of a dual encoder, of a matcher, or of one that was exported."""
    for kind in ("model", "matcher"):
        if (folder / f"{kind}.json").exists():
            return read_manifest(folder, f"{kind}.json", kind=kind, version=1)
    exported = folder / "config.json"
    said: Json = json.loads(exported.read_bytes()) if exported.exists() else {}
    manifest = said.get(str(said.get("model_type")))
    return manifest if isinstance(manifest, dict) else {}


def trained(entry: Entry, corpus: Corpus, runs: Path, *, train: Trainer | None = None) -> Path:
    """The entry's model folder, trained as far as it isn't; without stages of its own, the shared one."""
    from xemplar.training import stages

    own, recipe = runs / entry.name / "model", recipe_of(entry)
    if entry.shares is None:
        (train or stages.train_system)(corpus, recipe, own, recipe_text=entry.text)
        return own
    shared = runs / entry.shares / "model"
    if not entry.retrains:
        return shared
    _copied(shared, own, but=[FOLDERS[table] for table in entry.retrains])
    (train or stages.finish)(corpus, recipe, own, recipe_text=entry.text)
    return own


def _copied(shared: Path, own: Path, *, but: list[str]) -> None:
    """A model folder's copy without some of its stages; a whole one is left as it is."""
    mark = own / ".copied"
    if mark.exists():
        return
    shutil.rmtree(own, ignore_errors=True)

    def left(place: str, names: list[str]) -> set[str]:
        return {".lock", *but} & set(names) if Path(place) == shared else {".lock"}

    shutil.copytree(shared, own, ignore=left)
    mark.touch()


def _indexed(entry: Entry, corpus: Corpus, runs: Path, *, encoder: Encoder) -> Index:
    """The index of the training part: that of the entry whose encoder it is."""
    place = runs / entry.home / "index"
    if (place / "index.json").exists():
        return open_index(place, corpus, encoder)
    return build_index(corpus, encoder, place, parts=("train",), engine="exact")


def _calibrated(system: System) -> None:
    """Fit when to state and when to be silent; where that can't be done, say why nothing is drafted.

    By what the validation reports claim: what was drawn serves for scores alone.
    """
    try:
        system.archive.calibration = calibrate(
            system.archive, system.folder / "calibration", truth=held_to_report, promise=None
        )
    except XemplarError as error:
        system.notes["drafts"] = f"not calibrated: {error}"
