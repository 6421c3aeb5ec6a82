"""A corpus folder opened: its studies, sentences, views and previews, as one generation has them.

Knows the folder and checks what it lists: sizes when it is opened, hashes when a file is first read. Writes
nothing that is listed. Near-duplicates, once sought, are
kept beside it where nobody else is writing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyarrow import Schema

from xemplar.contracts import Json
from xemplar.corpus import schema
from xemplar.corpus.card import facts_of
from xemplar.corpus.copies import copies_of, near_duplicates_of
from xemplar.corpus.settings import IngestSettings, read_corpus_manifest
from xemplar.corpus.tables import LANDMARKS_SHAPE, open_array, read_parquet
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import fingerprint
from xemplar.images import image_of, size_of
from xemplar.records import Film, Image, Sentence, Split, Study, View


class Corpus:
    """One generation of a corpus folder.

    Studies, views and sentences are read when first asked for and kept; previews stay on disk,
    memory-mapped. `name` is what people see: the domain, and how many patients.
    """

    def __init__(self, folder: Path, manifest: Json) -> None:
        self.folder = folder
        self.manifest = manifest
        self.settings = IngestSettings.model_validate(manifest["settings"])
        self.generation: int = manifest["generation"]

    @classmethod
    def open(cls, folder: Path | str) -> Corpus:
        """Open the folder's present generation; refuse another version or a file that is missing."""
        folder = Path(folder)
        manifest, _ = read_corpus_manifest(folder)
        for segment in manifest["segments"].values():
            for name, entry in segment["files"].items():
                _check_size(folder, name, entry["bytes"])
        if manifest["rejected"]["bytes"]:
            # A writer may be adding to it: more than listed is fine, less is a loss.
            _check_size(folder, "rejected.jsonl", manifest["rejected"]["bytes"], may_grow=True)
        if not manifest["segments"]:
            raise XemplarError("no study in it", where=str(folder), remedy="run its `xemplar ingest` again")
        corpus = cls(folder, manifest)
        now = corpus.settings.preview.fingerprint
        if manifest["preview_fingerprint"] != now:
            raise MismatchError(
                f"the corpus holds previews {manifest['preview_fingerprint']}",
                wanted=f"previews {now}, as this program makes of the same settings",
                where=str(folder),
                remedy="ingest again, or open it with the program that made it",
            )
        return corpus

    @cached_property
    def fingerprint(self) -> str:
        """Of everything in it: settings and the hash of every file, but for what follows from previews."""
        files = {
            name: entry["sha256"]
            for s in self.manifest["segments"].values()
            for name, entry in s["files"].items()
            if not name.startswith("landmarks/")
        }
        return fingerprint([self.manifest["settings"], files])

    @cached_property
    def studies(self) -> tuple[Study, ...]:
        """Every study, in the order of ingest."""
        views: dict[str, list[View]] = {}
        for _, row in self._view_rows:
            views.setdefault(row["study_id"], []).append(schema.view_of(row))
        return tuple(
            schema.study_of(row, tuple(views.get(row["study_id"], ())))
            for name in self.manifest["segments"]
            for row in self._rows(f"studies/{name}.parquet", schema.STUDIES)
        )

    @cached_property
    def by_id(self) -> dict[str, Study]:
        """study_id -> study."""
        return {study.study_id: study for study in self.studies}

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """Every distinct sentence with all studies that wrote it, in the order first seen."""
        first: dict[str, Json] = {}
        study_ids: dict[str, dict[str, None]] = {}
        for name in self.manifest["segments"]:
            for row in self._rows(f"sentences/{name}.parquet", schema.SENTENCES):
                first.setdefault(row["sentence_id"], row)
                study_ids.setdefault(row["sentence_id"], {}).update(dict.fromkeys(row["study_ids"]))
        return tuple(schema.sentence_of(row, tuple(study_ids[key])) for key, row in first.items())

    def part(self, split: Split | None) -> tuple[Study, ...]:
        """The studies of one split, or all."""
        return tuple(study for study in self.studies if split is None or study.split == split)

    def preview(self, view_id: str) -> Image:
        """A view's preview, (size, size) float32."""
        return self.previews([view_id])[0]

    def previews(self, view_ids: Sequence[str]) -> list[Image]:
        """Previews of several views, in their order."""
        return [image_of(pixels) for pixels in self.preview_pixels(view_ids)]

    def preview_pixels(self, view_ids: Iterable[str]) -> list[NDArray[np.uint8]]:
        """Previews as stored, (size, size) uint8."""
        places = (self._place(view_id) for view_id in view_ids)
        return [self._shard(name)[row] for name, row in places]

    def check_previews(self, made_with: str | None) -> None:
        """Refuse a model that was made with other previews than are held; None is one that takes any."""
        held = self.settings.preview
        if made_with in (None, held.fingerprint):
            return
        size = size_of(made_with)
        told = f" of {size} pixels a side" if size else " that this program doesn't make"
        raise MismatchError(
            f"the model was made with previews{told} ({made_with})",
            wanted=f"{held.size} pixels a side ({held.fingerprint}), as the corpus holds",
            where=str(self.folder),
            remedy=(f"ingest with --preview-size {size}, or " if size else "") + "train on this corpus",
        )

    def film(self, study: Study, view: View) -> Film:
        """A view of a study as a film to ask about, which leaves its own study out of the answer."""
        if view.pixels is None:
            raise XemplarError(f"view {view.view_id} has no pixels", where=str(self.folder))
        return Film(
            image=self.preview(view.view_id),
            pixels=view.pixels,
            domain=study.domain,
            position=view.position,
            study_id=study.study_id,
            patient_id=study.patient_id,
            cluster=study.facets.get("cluster"),
            sha256=view.sha256,
            preview=self.settings.preview.fingerprint,
            age_years=age_of(study),
        )

    @cached_property
    def clusters(self) -> Mapping[str, str]:
        """Key of each patient -> key of what stays in one split with it; of no group, nor a study alone."""
        return {
            study.patient_id: study.facets["cluster"]
            for study in self.studies
            if study.patient_id is not None and "cluster" in study.facets
        }

    @cached_property
    def of_number(self) -> Mapping[str, frozenset[str]]:
        """Key of what a patient's number keeps in one split -> keys of the patients of that number.

        Several houses may have given it, each to its own. Groups that a source names are no numbers.
        """
        found: dict[str, set[str]] = {}
        for study in self.studies:
            if study.patient_id and study.split_unit != "group" and "cluster" in study.facets:
                found.setdefault(study.facets["cluster"], set()).add(study.patient_id)
        return {number: frozenset(patients) for number, patients in found.items()}

    @cached_property
    def patients(self) -> int | None:
        """How many patients; None where the source did not say."""
        known = {study.patient_id for study in self.studies}
        return None if None in known else len(known)

    @property
    def title(self) -> str:
        """Domain and number of patients: what every table and plot about it is headed with."""
        return describe_part(self.settings.provenance, self.studies)

    def card(self, *, near_duplicates: bool = False) -> Json:
        """Counts that describe the corpus; of near-duplicates, which may have to be sought, if asked."""
        return facts_of(self, near_duplicates=near_duplicates)

    def check(self) -> list[str]:
        """A line for each thing wrong with the folder; an empty list when all is well."""
        from xemplar.corpus.check import check_corpus  # which opens corpora itself

        return check_corpus(self.folder).wrong

    @cached_property
    def near_duplicates(self) -> tuple[tuple[str, ...], ...]:
        """Groups of views that show one film: the same again, recompressed, cropped, mirrored, inverted.

        Sought when first asked for and kept beside the corpus, for this very content; blank films are
        nobody's duplicates. Each group is in the order of ingest, and has two views or more.
        """
        return near_duplicates_of(self)

    @cached_property
    def copies(self) -> dict[str, frozenset[str]]:
        """study_id -> studies of other splits that show a film of it, or nearly, of those that have any."""
        return copies_of(self)

    def held_apart(self, studies: Iterable[Study]) -> tuple[tuple[Study, ...], int]:
        """Those of `studies` of which no film is shown in another split, and how many aren't."""
        asked = tuple(studies)
        kept = tuple(study for study in asked if study.study_id not in self.copies)
        return kept, len(asked) - len(kept)

    def landmarks(self) -> NDArray[np.uint8]:
        """Of every view in the order of ingest, (views, landmarks, bytes) uint8 as packed."""
        return np.concatenate(list(self._packed.values()))

    def view_landmarks(self, view_ids: Iterable[str]) -> list[NDArray[np.uint8]]:
        """Of several views, (landmarks, bytes) uint8 each as packed."""
        places = (self._place(view_id) for view_id in view_ids)
        return [self._packed[name][row] for name, row in places]

    @cached_property
    def _packed(self) -> dict[str, NDArray[np.uint8]]:
        """Segment -> its views' landmarks."""
        return {
            name: self._array(f"landmarks/{name}.npy", (segment["views"], *LANDMARKS_SHAPE))
            for name, segment in self.manifest["segments"].items()
        }

    def _rows(self, name: str, columns: Schema) -> list[Json]:
        """A table's rows, once its bytes are known for those listed."""
        return read_parquet(self.folder, name, columns, sha256=self._listed(name))

    def _array(self, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """An array of a segment, once its bytes are known for those listed."""
        return open_array(self.folder, name, shape, sha256=self._listed(name))

    def _listed(self, name: str) -> str:
        files: Json = self.manifest["segments"][Path(name).stem]["files"]
        return str(files[name]["sha256"])

    @cached_property
    def _view_rows(self) -> list[tuple[str, Json]]:
        return [
            (name, row)
            for name in self.manifest["segments"]
            for row in self._rows(f"views/{name}.parquet", schema.VIEWS)
        ]

    @cached_property
    def _places(self) -> dict[str, tuple[str, int]]:
        return {row["view_id"]: (name, row["row"]) for name, row in self._view_rows}

    def _place(self, view_id: str) -> tuple[str, int]:
        try:
            return self._places[view_id]
        except KeyError:
            raise XemplarError(f"no view {view_id}", where=str(self.folder)) from None

    @cached_property
    def _shards(self) -> dict[str, NDArray[np.uint8]]:
        return {}

    def _shard(self, name: str) -> NDArray[np.uint8]:
        if name not in self._shards:
            views = self.manifest["segments"][name]["views"]
            size = self.settings.preview.size
            self._shards[name] = self._array(f"previews/{name}.npy", (views, size, size))
        return self._shards[name]


def age_of(study: Study) -> float | None:
    """Years by the facet "age", where it is a number ("90+" is 90)."""
    age = study.facets.get("age", "").removesuffix("+")
    return float(age) if age.isascii() and age.isdigit() else None


def _check_size(folder: Path, name: str, wanted: int, *, may_grow: bool = False) -> None:
    path = folder / name
    size = path.stat().st_size if path.exists() else None
    if size is None or size < wanted or (size > wanted and not may_grow):
        found = "is missing" if size is None else f"has {size} bytes"
        raise MismatchError(f"{name} {found}", wanted=f"{wanted} bytes", where=str(folder))


def describe_part(provenance: str, studies: Sequence[Study]) -> str:
    """What films are, patients, studies: "synthetic (phantom-v1 3f9a12bc), 412 patients, 600 studies"."""
    units = {study.split_unit for study in studies}
    patients = {study.patient_id for study in studies}
    if None not in patients:
        who = f"{len(patients)} patients"
    elif units == {"group"}:
        who = f"{len({study.facets['cluster'] for study in studies})} groups, patients unknown"
    else:
        who = "patients unknown"
    return f"{provenance}, {who}, {len(studies)} studies"
