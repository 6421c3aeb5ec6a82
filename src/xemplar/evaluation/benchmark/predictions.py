"""What another system said of the asked studies, from a file of JSON lines.

Knows lines and study ids; scores nothing. Each line is an object with `study_id`, `text` and, where it
likes, `set`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from xemplar.contracts import Json
from xemplar.errors import XemplarError
from xemplar.evaluation.benchmark.asked import Asked
from xemplar.evaluation.benchmark.plan import CAPTIONS, FLOOR_NAMES, FLOORS, RECIPES, Plan

SHOWN = 3
"""Unknown studies that are named."""

_KEY = re.compile(r"[0-9a-f]{16}")
"""An id as a corpus makes it, a salted hash."""


def read_predictions(path: Path, sets: Mapping[str, Asked]) -> dict[str, str]:
    """study_id -> text; a line that isn't one, an id twice or of nobody asked, are refused by their row.

    With one study that nobody is asked about the whole file is refused: it is of another corpus, or of
    other ids, and its texts would be left out as if they had never been written.
    """
    known = {study.study_id: name for name, asked in sets.items() for study in asked.studies}
    found: dict[str, str] = {}
    unknown: dict[str, int] = {}
    for row, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path.name}, line {row}"
        said = _object(line, where)
        name, text, named = said.get("study_id"), said.get("text"), said.get("set")
        if not isinstance(name, str) or not isinstance(text, str):
            raise XemplarError("no study_id or no text in it", wanted="both, as strings", where=where)
        if name in found or name in unknown:
            raise XemplarError("a study_id that stands before", wanted="each study once", where=where)
        if name not in known:
            unknown[name] = row
            continue
        if named is not None and named != known[name]:
            raise XemplarError(f"set {named!r}", wanted=f"{known[name]!r}, where the study is", where=where)
        found[name] = text
    if unknown:
        raise XemplarError(
            f"{len(unknown)} of {len(found) + len(unknown)} study_ids that nobody is asked about: "
            f"{_first(unknown)}",
            where=path.name, remedy="take them from asked.jsonl in the benchmark's folder",
        )  # fmt: skip
    if not found:
        raise XemplarError("no prediction in it", wanted="a line at least", where=path.name)
    return found


def _first(unknown: Mapping[str, int]) -> str:
    """The first few by line, and by id where it is a corpus's key: a source's own id is not repeated."""
    told = [f"line {row}" + (f" {name}" if _KEY.fullmatch(name) else "") for name, row in unknown.items()]
    return ", ".join(told[:SHOWN]) + (", ..." if len(told) > SHOWN else "")


def refuse_taken(names: Iterable[str], plan: Plan) -> None:
    """Refuse predictions named like what the benchmark itself has, whose scores they would hide."""
    taken = {FLOORS, *FLOOR_NAMES, *(entry.name for entry in plan.entries)}
    taken |= {entry.system for entry in plan.entries}
    recipes = {*RECIPES, CAPTIONS, plan.ours, *plan.recipes}
    for name in names:
        if name in taken or name.partition(":")[0] in recipes:
            raise XemplarError(
                f"predictions named {name!r}, which is a system of the benchmark",
                wanted="a name of their own", remedy="--predictions NAME=FILE with another NAME",
            )  # fmt: skip


def predicted(texts: Mapping[str, str], asked: Asked) -> int:
    """Of how many of the asked studies a text was handed in."""
    return sum(study.study_id in texts for study in asked.studies)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise XemplarError(f"can't be read ({error.strerror})", where=str(path)) from None
    except UnicodeDecodeError:
        raise XemplarError("not a text in UTF-8", where=str(path)) from None


def _object(line: str, where: str) -> Json:
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise XemplarError("no JSON object", wanted='{"study_id": ..., "text": ...}', where=where)
    return said


def asked_lines(sets: Mapping[str, Asked]) -> str:
    """Whom another system is to be asked about: a line for each study and view, without its text."""
    rows = [
        {"study_id": study.study_id, "set": name, "views": [view.view_id for view in study.views]}
        for name, asked in sets.items()
        for study in asked.studies
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)
