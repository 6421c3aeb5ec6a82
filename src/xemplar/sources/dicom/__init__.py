"""A folder of DICOM files, however they are named and nested, and a table of their reports.

Knows how files become studies and studies a patient's; reads headers, never pixels. Of a header only what
`headers` lists goes further; UIDs and accession numbers go into a corpus only where they are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from xemplar.contracts import Arrival
from xemplar.errors import XemplarError
from xemplar.records import Rejected, Study, View
from xemplar.sources.dicom.headers import MODALITIES, Header, Unreadable, read_header
from xemplar.sources.dicom.reports import FIELDS, Reports, read_reports
from xemplar.sources.files import File, check_folder, files_under
from xemplar.sources.report_texts import ReportTexts

__all__ = ["FIELDS", "DicomSettings", "studies"]

WANTED = "a folder of DICOM files"
_ENDINGS = (".dcm", ".dicom", ".dic", ".ima")


class DicomSettings(BaseModel):
    """How a folder of DICOM files is to be read.

    `modalities` are those wanted; films of others are rejected. `reports` is a table with one report a
    row, `columns` its fields by column. `patients_unknown` takes studies that name no patient, each as its
    own; they are rejected otherwise. UIDs of studies and accession numbers are kept only where told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    modalities: tuple[str, ...] = ("CR", "DX")
    reports: Path | None = None
    columns: dict[str, str] = {}
    patients_unknown: bool = False
    keep_study_uid: bool = False
    keep_accession: bool = False

    @field_validator("modalities")
    @classmethod
    def _are_codes(cls, modalities: tuple[str, ...]) -> tuple[str, ...]:
        for one in modalities:
            if one not in MODALITIES:
                raise ValueError(f"{one!r} is no modality that DICOM knows; wanted a code such as CR")
        return modalities

    @model_validator(mode="after")
    def _columns_have_their_table(self) -> DicomSettings:
        if self.columns and self.reports is None:
            raise ValueError("columns (--column) of a table that isn't named (--reports)")
        return self


@dataclass(frozen=True, slots=True)
class _Film:
    """A file and its header."""

    file: File
    header: Header

    @property
    def order(self) -> tuple[int, int, str, str]:
        head = self.header
        return (head.series, head.instance, head.sop_instance_uid or "", self.file.relative)


@dataclass(slots=True)
class _Found:
    """The films of a folder by study, and what is no film of one."""

    films: dict[str, list[_Film]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    directories: int = 0

    def refuse(self, file: File, reason: str) -> None:
        self.rejected.append(Rejected(file.relative, reason, file.relative))


def studies(path: Path, settings: DicomSettings) -> Iterator[Arrival | Rejected]:
    """Every study of the folder, by UID, its films by series and number; and what could be part of none.

    Files that aren't DICOM are told once for each kind, with their number. Raises XemplarError for a
    folder without a film of the wanted kinds, or whose films name no patient where they have to.
    """
    check_folder(path, WANTED)
    reports = read_reports(settings.reports, settings.columns) if settings.reports is not None else None
    found = _found(path, settings)
    if not found.films:
        reasons = Counter(one.reason for one in found.rejected).most_common(3)
        said = "; ".join(f"{count} {reason}" for reason, count in reasons) or "no DICOM file"
        raise XemplarError(
            f"no film of {' or '.join(settings.modalities)} ({said})", wanted=WANTED, where=str(path),
            remedy="other kinds are asked for with --modality",
        )  # fmt: skip
    if not settings.patients_unknown and not any(film.header.patient for film in _all(found)):
        raise XemplarError(
            "no film names its patient (PatientID)", where=str(path),
            remedy="--patients-unknown takes each study as a patient's own, and every score says so",
        )  # fmt: skip
    yield from _patients(found, settings, reports)
    yield from found.rejected
    yield from _counted(found)
    if reports is not None:
        yield from (*reports.rejected, *reports.left())


def _all(found: _Found) -> Iterator[_Film]:
    for films in found.films.values():
        yield from films


# --- files -----


def _found(path: Path, settings: DicomSettings) -> _Found:
    """Every file of the folder, looked into."""
    found = _Found()
    for file in files_under(path):
        if isinstance(file, Rejected):
            found.rejected.append(file)
            continue
        try:
            header = read_header(file.path)
        except Unreadable as error:
            found.refuse(file, str(error))
            continue
        if header is None:
            if _kind(file) in _ENDINGS:
                found.refuse(file, "named as a DICOM file, and none")
            else:
                found.others[_kind(file)] += 1
        elif header.is_directory:
            found.directories += 1
        else:
            reason = _unfit(header, settings)
            if reason:
                found.refuse(file, reason)
            else:
                found.films.setdefault(header.study_uid or "", []).append(_Film(file, header))
    return found


def _kind(file: File) -> str:
    """A file's ending, where it is as short as endings are; a longer one may be part of a name."""
    ending = file.path.suffix.casefold()
    return ending if 1 < len(ending) <= 5 and ending[1:].isalnum() else "other"


def _unfit(header: Header, settings: DicomSettings) -> str:
    """Why a film can't be part of a study; empty where it can."""
    if header.modality is None:
        return "no modality that DICOM knows"
    if header.modality not in settings.modalities:
        return f"modality {header.modality}, not asked for (--modality {header.modality})"
    return "" if header.study_uid is not None else "no StudyInstanceUID"


def _counted(found: _Found) -> Iterator[Rejected]:
    for kind, count in sorted(found.others.items()):
        files = "1 file that is" if count == 1 else f"{count} files that are"
        yield Rejected(f"not DICOM: {kind}", f"{files} not DICOM ({kind})")
    if found.directories:
        yield Rejected("DICOMDIR", f"{found.directories} DICOMDIR passed over, which only lists other files")


# --- studies -----


def _patients(
    found: _Found, settings: DicomSettings, reports: Reports | None
) -> Iterator[Arrival | Rejected]:
    """Every study by UID, and why others are none; the one before it, of a patient, is its prior."""
    made: dict[str, list[tuple[datetime, str]]] = {}
    taken: list[tuple[str, list[_Film]]] = []
    for uid in sorted(found.films):
        films = sorted(found.films[uid], key=lambda film: film.order)
        named = {film.header.patient for film in films} - {None}
        where = films[0].file.relative
        if len(named) > 1:
            yield Rejected(uid, "a study whose films name more than one patient", where)
        elif not named and not settings.patients_unknown:
            yield Rejected(uid, "no patient named (--patients-unknown takes it as its own)", where)
        else:
            taken.append((uid, films))
            moment, patient = _moment(films), _patient(films)
            if moment is not None and patient is not None:
                made.setdefault(patient, []).append((moment, uid))
    for uid, films in taken:
        prior = _prior(films, made)
        yield from _study(uid, films, prior=prior, settings=settings, reports=reports)


def _number(films: list[_Film]) -> str | None:
    """The patient's number, whoever gave it."""
    return next((film.header.patient for film in films if film.header.patient is not None), None)


def _patient(films: list[_Film]) -> str | None:
    """The patient's number and who gave it, where a film says who."""
    number = _number(films)
    issuer = next((film.header.issuer for film in films if film.header.issuer is not None), None)
    return f"{number}\x1f{issuer}" if number is not None and issuer is not None else number


def _moment(films: list[_Film]) -> datetime | None:
    return min((f.header.acquired_at for f in films if f.header.acquired_at is not None), default=None)


def _prior(films: list[_Film], made: Mapping[str, list[tuple[datetime, str]]]) -> str | None:
    """The patient's last study that was made before this one."""
    moment, patient = _moment(films), _patient(films)
    if moment is None or patient is None:
        return None
    return max(((when, uid) for when, uid in made[patient] if when < moment), default=(None, None))[1]


def _study(
    uid: str, films: list[_Film], *, prior: str | None, settings: DicomSettings, reports: Reports | None
) -> Iterator[Arrival | Rejected]:
    """A study, after its films that are there twice and the report that isn't there."""
    kept: dict[str, _Film] = {}
    for film in films:
        if kept.setdefault(film.header.sop_instance_uid or film.file.relative, film) is not film:
            yield Rejected(film.file.relative, "the same film twice (SOPInstanceUID)", film.file.relative)
    taken = None
    if reports is not None:
        taken = reports.take(_accession(films) if reports.by == "accession" else uid)
        if taken is None:
            yield Rejected(f"{uid}/report", "films without a report: kept as films", films[0].file.relative)
    texts, language = taken if taken is not None else (ReportTexts(), None)
    study = replace(
        _record(uid, films, settings=settings, texts=texts),
        views=tuple(_view(film) for film in kept.values()),
        language=language,
        prior_id=prior,
        facets=_facets(list(kept.values())),
    )
    paths = tuple(film.file.path for film in kept.values())
    # By the number alone: a header that leaves out who gave it must not part a patient.
    yield Arrival(study, paths, split_key=_number(films), cut=texts.cut)


def _record(uid: str, films: list[_Film], *, settings: DicomSettings, texts: ReportTexts) -> Study:
    """What a study's headers and its report say; no view yet."""
    patient = _patient(films)
    return Study(
        study_id=uid,
        patient_id=patient,
        domain="clinical",
        study_uid=uid if settings.keep_study_uid else None,
        accession=_accession(films) if settings.keep_accession else None,
        acquired_at=_moment(films),
        modality=films[0].header.modality,
        indication=texts.indication,
        comparison=texts.comparison,
        findings=texts.findings,
        impression=texts.impression,
        report_status=texts.status,
        split_unit="patient" if patient is not None else "study",
        source="dicom",
    )


def _accession(films: list[_Film]) -> str | None:
    return next((film.header.accession for film in films if film.header.accession is not None), None)


def _view(film: _Film) -> View:
    return View(
        view_id=film.header.sop_instance_uid or film.file.relative,
        sop_instance_uid=film.header.sop_instance_uid,
        position=film.header.position,
        laterality=film.header.laterality,
        path=film.file.relative,
    )


def _facets(films: list[_Film]) -> dict[str, str]:
    """Age and sex, where any film says them, and the first frontal film's projection, else the first's."""
    heads = [film.header for film in films]
    frontal = [head.projection for head in heads if head.position == "frontal"]
    said = {
        "age": next((head.age for head in heads if head.age is not None), None),
        "sex": next((head.sex for head in heads if head.sex is not None), None),
        "projection": next((word for word in (*frontal, *(head.projection for head in heads)) if word), None),
    }
    return {name: value for name, value in said.items() if value is not None}
