"""Many reports -> a file of alerts, a line of JSON for each; what was interrupted goes on.

Knows lines and files; how one report is checked, with its films or without, is handed in, and so are the
reports (`table.py`, `folder.py`). Lines are kept as they come in a file beside `out`, which takes its name
once every report has its line.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

from xemplar import __version__
from xemplar.check.alerts import Checked
from xemplar.contracts import Json
from xemplar.errors import ImageError, XemplarError
from xemplar.findings import lexicon_version
from xemplar.folders import file_sha256, refusals_told
from xemplar.records import Study

FEWEST = 30
SURELY = 0.01
COMMONEST = 3
NO_FILE = "no such file"
_LOOK = "name films by files that are there: those of a table are relative to the table's own folder"
_TRY = "mend the commonest reason, or check one report beside its film alone to see it judged"
_WHY = (
    "either these reports have more errors than those of the archive, or the films are from elsewhere, "
    "or the limits were fitted on few reports ({:,}); calibrate there"
)

_OF_STUDY = re.compile(r",? in study \S+$")
_NUMBER = re.compile(r"\d+")

Report = str | Study
Judge = Callable[[Report, tuple[Path, ...]], Checked]
"""How one report is checked beside the files of its films, of which there may be none."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Reports to be checked: what they are, for the first line of the answer, and how to read them."""

    told: Json
    sources: tuple[Path, ...]
    """What is read, none of which may be written."""
    reports: Callable[[], Iterator[tuple[str, Report, tuple[Path, ...]]]]
    """Id, report and its films' files, in an order that is always the same."""
    spare: int = 0
    """Films that are no report's."""
    wants_films: bool = False
    """Whether a report without a film is counted as one whose film could not be judged."""


@dataclass(slots=True)
class Counted:
    """What became of the reports; `before` were checked by the run that this one goes on with."""

    reports: int = 0
    before: int = 0
    alarmed: int = 0
    unread: int = 0
    unseen: int = 0
    """Whose film was asked for, and not judged."""
    seen: int = 0
    """Whose words and film were both judged."""
    seen_alarmed: int = 0
    """Of those, the ones with any alert."""
    spare: int = 0
    """Films that are no report's."""
    alerts: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    """Why films were not judged -> of how many reports; what differs in numbers alone is one reason."""

    @property
    def commonest(self) -> list[tuple[str, int]]:
        """The three commonest of the reasons, and of how many reports, the most first."""
        return sorted(self.reasons.items(), key=lambda one: (-one[1], one[0]))[:COMMONEST]

    @property
    def blind(self) -> str | None:
        """What follows where films were asked for, and not one could be judged."""
        if not self.unseen or self.seen:
            return None
        missing = NO_FILE in self.commonest[0][0]
        remedy = _LOOK if missing else _TRY
        return f"warning: not one film could be judged, so that words alone were checked; {remedy}"

    def beyond(self, budget: float, fitted_on: int) -> str | None:
        """What follows where more reports alarm beside their films than limits of `budget` let clean ones.

        Told of FEWEST reports or more, where clean ones would alarm as often with a probability below SURELY.
        Limits fitted on n = `fitted_on` reports keep the budget b only on average over calibrations: the
        share of clean ones above them is Beta(b (n + 1), (1 - b) (n + 1)) (Vovk 2012, conditional validity).
        """
        if self.seen < FEWEST or _tail(self.seen_alarmed, self.seen, (budget, fitted_on)) >= SURELY:
            return None
        share = (
            f"{self.seen_alarmed} of {self.seen} reports alarm beside their films, where {budget:.0%} was the"
        )
        return f"{share} limit for clean ones: {_WHY.format(fitted_on)}"


def check_batch(
    batch: Batch,
    out: Path,
    *,
    judge: Judge,
    by: Mapping[str, str | None],
    on_progress: Callable[[int, int], None] | None = None,
) -> Counted:
    """Check every report; `by` says with what (an archive's fingerprint), so that two runs aren't mixed.

    `out` gets a line that says what was asked and by which program and rules, then for each report its id,
    alerts, why its words or its films weren't checked, and the SHA-256 of each film. A film that can't be
    read leaves the words. The same command again goes on with what was interrupted, and leaves what is
    finished. Raises XemplarError for an id that is empty or stands twice, before anything is checked; where
    `out` is there and not this, or damaged; where another process writes it.
    """
    _refuse(batch, out)
    header = json.loads(json.dumps({**batch.told, "by": {**dict(by), **program()}}))
    ids = _checked_ids(batch)
    if out.exists():
        return _counted(batch, _finished(out, header, ids), out)
    part = out.with_name(f"{out.name}.part")
    counted = Counted(spare=batch.spare)
    with refusals_told(out), _held(part) as stream:
        done = _resumed(stream, part, header=header, ids=ids)
        if on_progress is not None:
            on_progress(0, len(ids))
        for name, report, films in batch.reports():
            if name in done:
                told = _unchanged(done[name], films, out)
                counted.before += 1
            else:
                told = {"id": name, **_films(films), **told_of(_judged(judge, report, films))}
                stream.write(_line(told))
                stream.flush()
            _count(counted, told, asked=batch.wants_films or bool(films))
            if on_progress is not None:
                on_progress(counted.reports, len(ids))
        os.fsync(stream.fileno())
        part.replace(out)
    return counted


def told_of(checked: Checked) -> Json:
    """An answer as JSON."""
    return {
        "alerts": [asdict(one) for one in checked.alerts],
        "unread": checked.unread,
        "unseen": checked.unseen,
        "notes": list(checked.notes),
        "status": checked.status,
    }


def program() -> dict[str, str]:
    """Which program, rules and words check: its version, a hash of its code of reports, the lexicon's."""
    code = hashlib.sha256()
    for room in ("check", "report"):
        for one in sorted(files(f"xemplar.{room}").iterdir(), key=lambda one: one.name):
            if one.name.endswith((".py", ".toml")):
                code.update(one.name.encode() + one.read_bytes().replace(b"\r\n", b"\n"))
    return {"xemplar": __version__, "rules": code.hexdigest(), "lexicon": lexicon_version()}


# --- what can't be done, before anything is ---


def _refuse(batch: Batch, out: Path) -> None:
    if out.resolve() in [one.resolve() for one in batch.sources]:
        raise XemplarError("one file to be read and written", wanted="files of their own", where=str(out))
    if not out.parent.is_dir():
        raise XemplarError("no such folder", wanted="a folder to write into", where=str(out.parent))
    if out.is_dir():
        raise XemplarError("a folder", wanted="a file to write", where=str(out))


def _checked_ids(batch: Batch) -> set[str]:
    """The ids of the reports, each of which has its own."""
    seen: set[str] = set()
    for number, (name, *_) in enumerate(batch.reports(), start=1):
        if not name or name in seen:
            raise XemplarError("an id that is empty or stands twice", where=f"report {number}")
        seen.add(name)
    return seen


def _finished(out: Path, header: Json, ids: set[str]) -> dict[str, Json]:
    """By id, the lines of a file that the same command has written; any other is left, and refused."""
    first, *lines = out.read_bytes().split(b"\n")
    if first + b"\n" != _line(header):
        raise XemplarError(
            "there already, and not by this command", wanted="a file to write", where=str(out),
            remedy="remove it, or write elsewhere",
        )  # fmt: skip
    told = _told_in(lines[:-1], out, ids)
    if lines[-1] or len(told) < len(ids):
        raise _damaged(out, f"{len(told):,} whole lines for {len(ids):,} reports")
    return told


def _told_in(lines: Iterable[bytes], where: Path, ids: set[str]) -> dict[str, Json]:
    """By id, lines that were written before, each of another of the reports."""
    told: dict[str, Json] = {}
    for number, line in enumerate(lines, start=2):
        try:
            one = json.loads(line)
            _count(Counted(), one, asked=True)  # as it will be
            name = one["id"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _damaged(where, f"line {number} is no answer") from None
        if not isinstance(name, str) or name not in ids or name in told:
            raise _damaged(where, f"line {number} is of no report, or of one that has its line")
        told[name] = one
    return told


def _damaged(where: Path, what: str) -> XemplarError:
    return XemplarError(
        f"damaged: {what}", wanted="a line of JSON for each report, as a check writes it", where=str(where),
        remedy="remove it, and check again",
    )  # fmt: skip


def _counted(batch: Batch, told: Mapping[str, Json], out: Path) -> Counted:
    counted = Counted(before=len(told), spare=batch.spare)
    for name, _, films in batch.reports():
        _count(counted, _unchanged(told[name], films, out), asked=batch.wants_films or bool(films))
    return counted


# --- going on ---


@contextmanager
def _held(part: Path) -> Iterator[BinaryIO]:
    """The file that lines are kept in, for this process alone."""
    with part.open("a+b") as stream:
        busy = XemplarError(
            "another process is writing here", where=str(part), remedy="wait for it to end, or stop it"
        )
        try:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        if not part.exists() or part.stat().st_ino != os.fstat(stream.fileno()).st_ino:
            raise busy  # which has just finished, and given it its name
        yield stream


def _resumed(stream: BinaryIO, part: Path, *, header: Json, ids: set[str]) -> dict[str, Json]:
    """By id, the lines that an interrupted run has written; the last, if it is cut short, is cut off."""
    stream.seek(0)
    *lines, torn = stream.read().split(b"\n")
    if torn:
        stream.truncate(sum(len(one) + 1 for one in lines))
    if not lines:
        stream.write(_line(header))
        stream.flush()
        return {}
    if lines[0] + b"\n" != _line(header):
        raise XemplarError(
            "begun with another table, other columns or another archive or program", where=str(part),
            remedy="remove it, or write elsewhere",
        )  # fmt: skip
    return _told_in(lines[1:], part, ids)


def _unchanged(told: Json, films: tuple[Path, ...], out: Path) -> Json:
    """A line that was written before, of films that are the same."""
    if _films(films).get("films") != told.get("films"):
        raise XemplarError(
            "a film that was checked is no longer the same file", where=str(out),
            remedy="remove what was written, or write elsewhere",
        )  # fmt: skip
    return told


def _films(films: tuple[Path, ...]) -> Json:
    """What is told of a report's films: the SHA-256 of each; null for one that isn't there."""
    return {"films": [file_sha256(one) if one.is_file() else None for one in films]} if films else {}


def _judged(judge: Judge, report: Report, films: tuple[Path, ...]) -> Checked:
    try:
        return judge(report, films)
    except ImageError as error:
        words = judge(report, ())
        return Checked(words.alerts, words.unread, f"the film can't be read: {error.found}", words.notes)


def _count(counted: Counted, told: Json, *, asked: bool) -> None:
    counted.reports += 1
    counted.alarmed += bool(told["alerts"])
    counted.unread += told["unread"] is not None
    if asked and told["unseen"] is not None:
        counted.unseen += 1
        why = _reason_of(told["unseen"], counted.reasons)
        counted.reasons[why] = counted.reasons.get(why, 0) + 1
    if asked and told["unread"] is None and told["unseen"] is None:
        counted.seen += 1
        counted.seen_alarmed += bool(told["alerts"])
    for one in told["alerts"]:
        counted.alerts[one["kind"]] = counted.alerts.get(one["kind"], 0) + 1


def _reason_of(why: str, known: Iterable[str]) -> str:
    """A reason without the study that it names; one that is known and differs in numbers alone is that."""
    why = _OF_STUDY.sub("", why)
    return next((one for one in known if _NUMBER.sub("", one) == _NUMBER.sub("", why)), why)


def _tail(hits: int, among: int, fitted: tuple[float, int]) -> float:
    """Beta-binomial probability of as many hits or more, where (share, n) were fitted."""
    share, n = fitted
    if not 0.0 < share < 1.0:
        return 1.0
    one, two = share * (n + 1), (1 - share) * (n + 1)

    def log_beta(a: float, b: float) -> float:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

    whole = log_beta(one, two) + math.log(among + 1)  # choose(m, k) = 1 / ((m + 1) B(k + 1, m - k + 1))
    return math.fsum(
        math.exp(log_beta(k + one, among - k + two) - log_beta(k + 1, among - k + 1) - whole)
        for k in range(hits, among + 1)
    )


def _line(value: Json) -> bytes:
    return (json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n").encode()
