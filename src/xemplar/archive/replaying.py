"""A draft made again from its file: the same bytes, or what exactly differs.

Knows a draft's file and how its archive is opened again; what a draft says is for the rooms above.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xemplar.archive.draft_file import Asked, canonical, file_bytes, record_of, said_in
from xemplar.archive.facade import Archive
from xemplar.archive.opening import open_archive
from xemplar.contracts import Json
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import file_sha256
from xemplar.records import Draft

_FOLDERS = ("index", "corpus", "model", "calibration")
_OF_A_LINE = ("text", "source_study_ids", "claims", "confidence", "scores", "sentence_text")
"""What two lines that quote the same span may differ in."""

_SEEN = ("said", "text", "source_study_ids", "claims", "order", "silent", "gate")
"""Differences that a reader sees: all others are of numbers and names."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is otherwise: what kind of thing, where it stands, and what it was and is."""

    what: str
    where: str
    then: object
    now: object


@dataclass(frozen=True, slots=True)
class Replayed:
    """A draft made again; `made` is what is otherwise about its making, `said` about the draft itself."""

    draft: Draft
    data: bytes
    """Of its file."""
    made: tuple[Difference, ...]
    said: tuple[Difference, ...]
    same: bool
    """Whether the draft's own bytes are those of the file."""

    @property
    def same_lines(self) -> bool:
        """Whether the same lines of the same sources are said in one order, and the same is left unsaid."""
        return not any(one.what in _SEEN for one in self.said)


def open_again(told: Json, *, beside: Path, **named: Path | None) -> Archive:
    """Open the archive of a draft's file; `named` folders (index, corpus, model, calibration) go before its.

    A relative path is sought from here and, if it isn't there, `beside` the file.
    """
    held = told["record"]["folders"]
    if not held.get("index") and named.get("index") is None:
        raise XemplarError("the record names no index", remedy="name it: --index")
    places: dict[str, Path | None] = {}
    for name in _FOLDERS:
        given = named.get(name)
        recorded = held.get(name) if named.get("index") is None or name == "index" else None
        places[name] = given or (_found(recorded, beside) if recorded else None)
    assert places["index"] is not None
    archive = open_archive(
        places["index"], corpus=places["corpus"], model=places["model"], calibration=places["calibration"]
    )
    archive.folders = {name: str(named[name]) if named.get(name) else held.get(name) for name in _FOLDERS}
    return archive


def films_again(archive: Archive, told: Json, *, beside: Path, images: Sequence[Path] = ()) -> Asked:
    """The films of a draft's file; `images`, in their order, go before its paths for the study's own views.

    One whose bytes are others than the draft was made from is named and refused.
    """
    record = told["record"]
    if images and len(images) != len(record["films"]):
        raise XemplarError(
            f"{len(images)} images", wanted=f"as many as the draft has: {len(record['films'])}"
        )
    own = list(images) or [_found(film["path"], beside) for film in record["films"]]
    before = [_found(film["path"], beside) for film in record["prior"]]
    for place, held in zip([*own, *before], [*record["films"], *record["prior"]], strict=True):
        _check_film(place, held["sha256"])
    asked = Asked.load(archive, own, before)
    # Under their recorded names, so that the record of the same draft is the same.
    named = tuple(images) or tuple(Path(film["path"]) for film in record["films"])
    return Asked(named, asked.films, tuple(Path(film["path"]) for film in record["prior"]), asked.prior)


def replay(told: Json, archive: Archive, asked: Asked) -> Replayed:
    """Make a draft again, and compare it with its file byte for byte."""
    made = asked.drafted(archive)
    data = file_bytes(made, record_of(archive, asked))
    again = json.loads(data)
    then, now = said_in(told), said_in(again)
    return Replayed(
        draft=made,
        data=data,
        made=tuple(_making(told["record"], again["record"])),
        said=tuple(_compared(then, now)),
        same=canonical(then) == canonical(now),
    )


def _check_film(place: Path, wanted: str) -> None:
    if not place.is_file():
        raise XemplarError(
            "no such film",
            wanted=f"the one of SHA-256 {wanted[:16]}",
            where=str(place),
            remedy="name it: --film",
        )
    if (found := file_sha256(place)) != wanted:
        raise MismatchError(
            f"another film: SHA-256 {found[:16]}", wanted=f"{wanted[:16]}, of which the draft was made",
            where=str(place),
        )  # fmt: skip


def _found(recorded: str, beside: Path) -> Path:
    path = Path(recorded)
    return path if path.exists() or not (beside / path).exists() else beside / path


def _making(then: Json, now: Json, within: str = "") -> list[Difference]:
    """Where two records differ, key by key."""
    found = []
    for name in sorted(then.keys() | now.keys()):
        one, other, where = then.get(name), now.get(name), f"{within} {name}".strip()
        if isinstance(one, dict) and isinstance(other, dict):
            found += _making(one, other, where)
        elif name in ("films", "prior") and len(one or ()) == len(other or ()):
            for number, (film, again) in enumerate(zip(one or (), other or (), strict=True), 1):
                # What a program of that time didn't write down isn't otherwise.
                found += _making(film, {key: again.get(key) for key in film}, f"{where} {number}")
        elif one != other:
            found.append(Difference("made", where, one, other))
    return found


def _compared(then: Json, now: Json) -> list[Difference]:
    """Where two drafts differ: line by line, then what is silent and why, then the rest."""
    before, after = (_by_span(draft["lines"]) for draft in (then, now))
    found: list[Difference] = []
    for key in [*before, *(key for key in after if key not in before)]:
        found += _line(before.get(key), after.get(key))
    orders = [[key[0] for key in each if key in before and key in after] for each in (before, after)]
    if orders[0] != orders[1]:
        found.append(Difference("order", "lines", *orders))
    silent, since = then["abstained"], now["abstained"]
    for name in sorted(silent.keys() | since.keys()):
        if (one := silent.get(name)) != (other := since.get(name)):
            found.append(Difference("silent" if None in (one, other) else "reason", name, one, other))
    rest = sorted((then.keys() | now.keys()) - {"lines", "abstained"})
    found += [Difference(n, n, then.get(n), now.get(n)) for n in rest if then.get(n) != now.get(n)]
    return found


def _line(one: Json | None, other: Json | None) -> list[Difference]:
    """Where two lines differ that quote the same span, or the one that is said once alone."""
    if one is None or other is None:
        there = one or other
        assert there is not None
        return [Difference("said", _place(there), one and one["text"], other and other["text"])]
    names = [name for name in _OF_A_LINE if one.get(name) != other.get(name)]
    return [Difference(name, _place(one), one.get(name), other.get(name)) for name in names]


def _place(line: Json) -> str:
    return f"sentence {line['sentence_id']} {line['span'][0]}:{line['span'][1]}"


def _by_span(lines: Sequence[Json]) -> dict[tuple[str, int], Json]:
    """Lines by what they quote; one that quotes what a line before it does is numbered."""
    found: dict[tuple[str, int], Json] = {}
    for line in lines:
        place = _place(line)
        found[place, sum(key[0] == place for key in found)] = line
    return found
