"""A film from a file: whose it is, as far as the archive can know; and what is to be known of what it gives.

Knows how a corpus keys patients, and that a DICOM header names one. The number that it names is hashed with
the corpus's own salt at once, and goes nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from xemplar.check import Checked
from xemplar.corpus import Corpus
from xemplar.corpus.settings import key_of, salt_check
from xemplar.records import Film, Sought
from xemplar.retrieval import NOBODY, Leave, shown_of
from xemplar.sources.dicom.headers import Unreadable, read_header

BLANK_VIEW = "left out: the image is blank"
_AREN_T = "earlier studies of the same patient, if it holds any, aren't left out"
STRANGER = f"not known to this archive: {_AREN_T}"
NO_SALT = f"can't be sought without `salt`, which this copy of the corpus lacks: {_AREN_T}"
UNREADABLE_SALT = f"can't be sought, since the corpus's file `salt` can't be read: {_AREN_T}"
DOUBTFUL = "not known for certain: studies of this number are left out, but who gave it isn't told"


def whose(corpus: Corpus, film: Film, data: bytes) -> Film:
    """The film with its patient's keys, where the header of its file's bytes names one of the corpus's.

    A number is a patient's together with who gave it, as it is in the corpus; where that is told on one side
    alone, the film is kept apart from whatever the number stays with, and the patient is `doubtful`. Nobody
    is known by a file without a header, by a number that the corpus's source didn't use, nor in a copy of a
    corpus without its `salt`.
    """
    try:
        header = read_header(data)
    except Unreadable:
        header = None
    number = None if header is None else header.patient
    if header is None or number is None:
        return replace(film, sought="unknown")
    salt, why = _salt(corpus)
    if salt is None:
        return replace(film, sought=why)
    return _found(corpus, film, salt=salt, number=number, issuer=header.issuer)


def notes_of(films: Sequence[Film], prior: Sequence[Film], leave: Leave) -> Mapping[str, str]:
    """Which views were left out, and that nobody knows whose films these are, where nobody does.

    `leave` is who is left out of the answer for all of them.
    """
    blank = {
        f"{what} {place}": BLANK_VIEW
        for what, views in (("view", films), ("prior view", prior))
        for place, film in enumerate(views, 1)
        if not any(film is one for one in shown_of(views))
    }
    patient = _unknown([*films, *prior], leave)
    return blank if patient is None else {**blank, "patient": patient}


def noted(checked: Checked, films: Sequence[Film], leave: Leave) -> Checked:
    """What was found in a report beside its films, with the notes on these, if they were looked at."""
    if not films or checked.unseen is not None:
        return checked
    told = (f"{what}: {note}" for what, note in notes_of(films, (), leave).items())
    return replace(checked, notes=(*checked.notes, *told))


def _unknown(films: Sequence[Film], leave: Leave) -> str | None:
    """Why it isn't known whose films these are; None where it is."""
    sought = {film.sought for film in films}
    if leave == NOBODY:
        if "salt unreadable" in sought:
            return UNREADABLE_SALT
        return NO_SALT if "salt missing" in sought else STRANGER
    by_number = leave.study_id is None and leave.patient_id is None
    return DOUBTFUL if by_number and "doubtful" in sought else None


def _salt(corpus: Corpus) -> tuple[bytes | None, Sought]:
    """The corpus's own, or why there is none."""
    try:
        salt = (corpus.folder / "salt").read_bytes()
    except FileNotFoundError:
        return None, "salt missing"
    except OSError:
        return None, "salt unreadable"
    return (salt, "known") if salt_check(salt) == corpus.manifest["salt"] else (None, "salt missing")


def _found(corpus: Corpus, film: Film, *, salt: bytes, number: str, issuer: str | None) -> Film:
    """By number and issuer, as the source of DICOM files names patients; others name them by number alone."""
    alone, group = key_of(salt, "patient", number), key_of(salt, "split", number)
    named = alone if issuer is None else key_of(salt, "patient", f"{number}\x1f{issuer}")
    of_number = corpus.of_number.get(group, frozenset())
    if named in corpus.clusters and (issuer is not None or of_number <= {named}):
        return replace(film, sought="known", patient_id=named, cluster=corpus.clusters[named])
    if alone in corpus.clusters or (issuer is None and of_number):
        return replace(film, sought="doubtful", cluster=corpus.clusters.get(alone, group))
    return replace(film, sought="unknown")
