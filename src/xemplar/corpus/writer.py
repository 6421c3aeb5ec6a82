"""Arrivals into a corpus folder: keys salted, splits drawn, texts read, previews made, segment by segment.

Knows how a corpus grows and how an interrupted ingest goes on; knows nothing of any source. Each
segment is complete on disk before the manifest that lists it is swapped in, so a kill loses at most
the segment in hand.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from xemplar.contracts import Arrival, Json
from xemplar.corpus import schema
from xemplar.corpus.decode import Decoded, ReadView, decoding
from xemplar.corpus.refused import NOTHING, Refused
from xemplar.corpus.segment import Segment
from xemplar.corpus.settings import IngestSettings, key_of, publish_corpus, read_corpus_manifest, salt_check
from xemplar.corpus.tables import read_parquet
from xemplar.errors import MismatchError, XemplarError
from xemplar.findings import lexicon_version
from xemplar.folders import (
    check_new,
    clear_leftovers,
    describe_file,
    fingerprint,
    sync_folder,
    write_atomic,
    writing,
)
from xemplar.records import SPLITS, Rejected, Split, Study, View

Report = Callable[[int], None]
"""Called with the number of arrivals dealt with so far."""


@dataclass
class IngestSummary:
    """What an ingest did, by count; `rejected` counts by reason, all of them in rejected.jsonl.

    `first_rejected` is a line of that file: its key is salted, only `where` is the source's own. `cut`
    counts lines of the added studies' reports that are in no text, by kind; `cut_studies` had any.
    """

    added: int = 0
    already_there: int = 0
    views: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    generation: int = 0
    first_rejected: Rejected | None = None
    cut: Counter[str] = field(default_factory=Counter)
    cut_studies: int = 0


def ingest(
    arrivals: Iterable[Arrival | Rejected],
    folder: Path,
    settings: IngestSettings,
    *,
    workers: int = 1,
    key_salt: bytes | None = None,
    on_progress: Report | None = None,
) -> IngestSummary:
    """Bring what a source hands over into `folder`; run again after an interruption, it goes on.

    `workers` above 1 decodes in that many processes. `key_salt` (default: drawn once and kept in the
    folder's `salt`, readable by its owner alone) hashes patient and study keys.
    """
    with writing(folder):
        writer = _Writer.open(folder, settings, key_salt=key_salt)
        with decoding(settings.preview, workers) as decode:
            for count, chunk in writer.chunks(arrivals, on_progress):
                writer.write_segment(decode(chunk))
                if on_progress is not None:
                    on_progress(count)
        writer.finish()
    return writer.summary


def split_of(key: str, settings: IngestSettings) -> Split:
    """The split of a patient, group or study: a salted hash against the settled fractions."""
    digest = hashlib.sha256(f"{settings.split_salt}\x1f{key}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64 * sum(settings.fractions)
    for split, fraction in zip(SPLITS, settings.fractions, strict=True):
        if position < fraction:
            return split
        position -= fraction
    return "test"


def said_by(arrival: Arrival) -> Json:
    """All that a source says of a study, as JSON: what has changed if any of it differs.

    Its `source` is left out, so that a table may be renamed.
    """
    study, moment = arrival.study, arrival.study.acquired_at
    plain = {each.name: getattr(study, each.name) for each in fields(study) if each.name != "source"}
    return {
        **plain,
        "acquired_at": None if moment is None else moment.isoformat(),
        "claims": [asdict(claim) for claim in study.claims],
        "views": [asdict(view) for view in study.views],
        "labels": dict(study.labels),
        "facets": dict(study.facets),
        "split_key": arrival.split_key,
    }


class _Writer:
    """One ingest into one folder: what is already there, and what is added."""

    def __init__(self, folder: Path, settings: IngestSettings, *, salt: bytes, manifest: Json) -> None:
        self.folder, self.settings, self.salt, self.manifest = folder, settings, salt, manifest
        self.summary = IngestSummary(generation=manifest["generation"])
        self.known: dict[str, str] = {}
        self.placed: dict[str, Split | None] = {}
        for name in manifest["segments"]:
            columns = ("study_id", "patient_id", "facets", "split", "content_key")
            for row in read_parquet(folder, f"studies/{name}.parquet", schema.STUDIES, columns=columns):
                self.known[row["study_id"]] = row["content_key"]
                self._place(row["patient_id"], dict(row["facets"])["cluster"], row["split"])
        self.seen: set[str] = set()
        self.refused = Refused(folder, manifest["rejected"])

    @classmethod
    def open(cls, folder: Path, settings: IngestSettings, *, key_salt: bytes | None) -> _Writer:
        """Go on with the corpus in `folder`, or start one."""
        if (folder / "corpus.json").exists():
            manifest, _ = read_corpus_manifest(folder)
            cls._check_same(manifest, settings, folder)
            salt = cls._salt_kept(folder, manifest)
            clear_leftovers(folder)
            if key_salt not in (None, salt):
                raise MismatchError(
                    "another key salt was given", wanted="the one in the folder's `salt`", where=str(folder)
                )
            return cls(folder, settings, salt=salt, manifest=manifest)
        check_new(folder, but="salt")
        clear_leftovers(folder)
        salt = key_salt if key_salt is not None else secrets.token_bytes(16)
        write_atomic(folder / "salt", salt, mode=0o600)
        manifest = {
            "kind": "corpus",
            "version": schema.VERSION,
            "generation": 0,
            "complete": False,
            "settings": settings.model_dump(mode="json"),
            "preview_fingerprint": settings.preview.fingerprint,
            "lexicon": lexicon_version(),
            "segments": {},
            "rejected": dict(NOTHING),
            "salt": salt_check(salt),
        }
        publish_corpus(folder, manifest)
        return cls(folder, settings, salt=salt, manifest=manifest)

    @staticmethod
    def _salt_kept(folder: Path, manifest: Json) -> bytes:
        """The salt of a corpus's first ingest, as it is kept beside it."""
        try:
            salt = (folder / "salt").read_bytes()
        except OSError:
            raise XemplarError(
                "its salt is gone, so new studies can't be told from old ones", where=str(folder),
                remedy="put the file `salt` back, or ingest into a new folder",
            ) from None  # fmt: skip
        if salt_check(salt) != manifest["salt"]:
            raise MismatchError(
                "its salt has changed, so new studies can't be told from old ones",
                wanted="the `salt` of its first ingest", where=str(folder),
                remedy="put that file back, or ingest into a new folder",
            )  # fmt: skip
        return salt

    @staticmethod
    def _check_same(manifest: Json, settings: IngestSettings, folder: Path) -> None:
        # Two decoders' previews or two lexicons' claims in one corpus would never show.
        own = {"preview_fingerprint": settings.preview.fingerprint, "lexicon": lexicon_version()}
        wanted = {**settings.model_dump(mode="json"), **own}
        for name, value in {**manifest["settings"], **{name: manifest[name] for name in own}}.items():
            if name != "segment_size" and wanted.get(name) != value:
                raise MismatchError(
                    f"this ingest has {name} {wanted.get(name)}", wanted=f"{value}, as at the first ingest",
                    where=str(folder), remedy="use the same settings, or ingest into a new folder",
                )  # fmt: skip

    def key(self, what: str, value: str) -> str:
        """The salted hash by which a corpus knows a patient, study or view."""
        return key_of(self.salt, what, value)

    def _content_key(self, arrival: Arrival) -> str:
        # Salted: all but the patient's id can be read in the corpus, so a bare hash would give it away.
        return self.key("content", fingerprint(said_by(arrival)))

    def chunks(
        self, arrivals: Iterable[Arrival | Rejected], on_progress: Report | None
    ) -> Iterator[tuple[int, list[Arrival]]]:
        """New arrivals, a segment's worth at a time; known ones and rejected ones are counted."""
        chunk: list[Arrival] = []
        count = 0
        for count, arrival in enumerate(arrivals, start=1):
            if isinstance(arrival, Rejected):
                self.reject(arrival)
            elif self._is_new(arrival):
                chunk.append(arrival)
            elif on_progress is not None and count % 100 == 0:
                on_progress(count)
            if len(chunk) == self.settings.segment_size:
                yield count, chunk
                chunk = []
        if chunk or self.refused.pending:
            yield count, chunk

    def _is_new(self, arrival: Arrival) -> bool:
        source_id = arrival.study.study_id
        key = self.key("study", source_id)
        if key in self.seen:
            self.reject(Rejected(source_id, "study twice: the source names it more than once"))
            return False
        self.seen.add(key)
        if key not in self.known:
            return True
        if self.known[key] == self._content_key(arrival):
            self.summary.already_there += 1
        else:
            self.reject(Rejected(source_id, "changed since it was first ingested: ingest into a new folder"))
        return False

    def reject(self, rejected: Rejected) -> None:
        """Count a rejection; one that is already on file is not written twice."""
        self.summary.rejected[rejected.reason.split(":")[0]] += 1
        row = replace(rejected, key=self.key("study", rejected.key))
        self.summary.first_rejected = self.summary.first_rejected or row
        self.refused.add(row)

    def write_segment(self, decoded: Iterable[Decoded]) -> None:
        """Write a segment's files, then swap in the manifest that lists them."""
        segment = Segment(self.settings.texts, self.settings.preview.size)
        for item in decoded:
            self._add(segment, item)
        if segment.studies:
            name = f"{len(self.manifest['segments']):06d}"
            files = segment.files(name)
            for path, data in files.items():
                (self.folder / path).parent.mkdir(exist_ok=True)
                write_atomic(self.folder / path, data)
            described = {path: describe_file(self.folder / path) for path in files}
            self.manifest["segments"][name] = {**segment.entry, "files": described}
        self.summary.added += len(segment.studies)
        self.summary.views += len(segment.views)
        self.summary.cut += segment.cut
        self.summary.cut_studies += segment.cut_studies
        if segment.studies or self.refused.pending:
            self.refused.write()
            self.manifest["complete"] = False
            self._publish()

    def _add(self, segment: Segment, item: Decoded) -> None:
        """Add an arrival to a segment, unless none of its views can be read or it is in another split."""
        films = self._read_views(item)
        if films is None:
            return
        study = self._rekey(item.arrival, tuple(view for view, _ in films))
        held = self._place(study.patient_id, study.facets["cluster"], study.split)
        if held is not None:
            who = "patient" if study.patient_id else "group"
            reason = f"its {who} is in another split: {held}, not {study.split}"
            self.reject(Rejected(item.arrival.study.study_id, reason))
            return
        segment.add(study, films, content_key=self._content_key(item.arrival), cut=item.arrival.cut)

    def _read_views(self, item: Decoded) -> list[tuple[View, ReadView]] | None:
        """The readable views of a study that are of this domain; None where it has views but no such one."""
        study, read = item.arrival.study, []
        for view, film in zip(study.views, item.views, strict=True):
            if isinstance(film, Rejected):
                self.reject(film)
                continue
            preview = film.preview
            # A drawn image has no mark of its own: whoever hands it over says what it is.
            is_file = preview.sha256 is not None
            if is_file and preview.domain not in (None, self.settings.domain):
                reason = f"of another domain: marked {preview.domain}, this corpus is {self.settings.domain}"
                self.reject(Rejected(f"{study.study_id}/{view.view_id}", reason, view.path or ""))
                continue
            filled = View(
                view_id=self.key("view", f"{study.study_id}\x1f{view.view_id}"),
                sop_instance_uid=view.sop_instance_uid or preview.sop_instance_uid,
                position=view.position or preview.position,
                laterality=view.laterality or preview.laterality,
                pixel_spacing=view.pixel_spacing or preview.pixel_spacing,
                pixels=preview.history,
                path=view.path,
                sha256=preview.sha256,
            )
            read.append((filled, film))
        if study.views and not read:
            return None
        return read

    def _rekey(self, arrival: Arrival, views: tuple[View, ...]) -> Study:
        study = arrival.study
        if "cluster" in study.facets:
            raise ValueError("a source's facet named cluster, which is kept for what stays in one split")
        patient = arrival.split_key or study.patient_id
        unit = patient or study.study_id
        kept = "official" if study.split is not None else "patient" if patient else "study"
        return replace(
            study,
            study_id=self.key("study", study.study_id),
            patient_id=None if study.patient_id is None else self.key("patient", study.patient_id),
            prior_id=None if study.prior_id is None else self.key("study", study.prior_id),
            split=study.split or split_of(unit, self.settings),
            split_unit=study.split_unit or kept,
            facets={**study.facets, "cluster": self.key("split", unit)},
            views=views,
        )

    def _place(self, patient: str | None, cluster: str, split: Split | None) -> Split | None:
        """Put a patient and what stays together with it in a split; or the other one that it is in."""
        keys = [key for key in (patient, cluster) if key is not None]
        held = next((self.placed[key] for key in keys if self.placed.get(key, split) != split), None)
        if held is None:
            self.placed.update(dict.fromkeys(keys, split))
        return held

    def _publish(self) -> None:
        self.manifest["generation"] += 1
        sync_folder(self.folder)
        publish_corpus(self.folder, self.manifest)
        self.summary.generation = self.manifest["generation"]

    def finish(self) -> None:
        """Mark the corpus as complete, unless it already is and nothing came."""
        if not self.manifest["segments"]:
            reasons = "; ".join(f"{count} {reason}" for reason, count in self.summary.rejected.most_common(3))
            first = self.summary.first_rejected
            raise XemplarError(
                f"no study could be read ({reasons or 'the source is empty'})", where=str(self.folder),
                remedy=f"first: {first.where or first.key}: {first.reason}" if first else "",
            )  # fmt: skip
        if not self.manifest["complete"]:
            self.manifest["complete"] = True
            self._publish()
