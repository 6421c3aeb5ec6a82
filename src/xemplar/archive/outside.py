"""A film from a file: whose it is, as far as the archive can know; and what is to be known of a draft for it.

Knows how a corpus keys patients, and that a DICOM header names one. The number that it names is hashed with
the corpus's own salt at once, and goes nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from xemplar.corpus import Corpus
from xemplar.corpus.settings import key_of, salt_check
from xemplar.records import Film
from xemplar.retrieval import NOBODY, Leave, shown_of
from xemplar.sources.dicom.headers import Unreadable, read_header

BLANK_VIEW = "left out: the image is blank"
STRANGER = "not known to this archive: earlier studies of the same patient, if it holds any, aren't left out"


def whose(corpus: Corpus, film: Film, path: Path) -> Film:
    """The film with its patient's key, where its header names one of the corpus's patients.

    That can't be known of a file without a header, of a number that the corpus's source didn't use, nor in a
    copy of a corpus without its `salt`.
    """
    key = _key(corpus, path)
    return film if key is None or key not in corpus.clusters else replace(film, cluster=key)


def notes_of(films: Sequence[Film], prior: Sequence[Film], leave: Leave) -> Mapping[str, str]:
    """Which views were left out, and that nobody knows whose films these are, where nobody does."""
    blank = {
        f"{what} {place}": BLANK_VIEW
        for what, views in (("view", films), ("prior view", prior))
        for place, film in enumerate(views, 1)
        if not any(film is one for one in shown_of(views))
    }
    return {**blank, **({"patient": STRANGER} if leave == NOBODY else {})}


def _key(corpus: Corpus, path: Path) -> str | None:
    """By the patient's number alone, since it is that which parts a corpus."""
    try:
        header = read_header(path)
        salt = (corpus.folder / "salt").read_bytes()
    except (Unreadable, OSError):
        return None
    if header is None or header.patient is None:
        return None
    if salt_check(salt) != corpus.manifest["salt"]:
        return None
    return key_of(salt, "split", header.patient)
