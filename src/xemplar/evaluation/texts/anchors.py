"""Published scores of other systems, where they may stand beside ours.

Knows `anchors.toml`. An anchor is given only where the studies are that very public test split, and section,
scorer and averaging agree; never beside a part of it, nor beside other data.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Any

from xemplar.contracts import Json
from xemplar.evaluation.texts.pairs import Pairs

_UID = re.compile(r"(?:CXR)?(\d+)(?:_.*)?\Z")


def anchors_of(pairs: Pairs, *, section: str, measures: Collection[str]) -> list[Json]:
    """Boards that are of these very studies, of this section and of a measure that was computed.

    Each is `name`, `source`, `measure`, `note` and `systems`, pairs of name and score in the board's order.
    A pair that was left out or filled in makes the studies other ones.
    """
    data = _data()
    splits = {name for name, split in data["splits"].items() if _is_split(pairs, split)}
    return [
        {key: board[key] for key in ("name", "source", "measure", "note", "systems")}
        for board in data["boards"]
        if board["split"] in splits and board["section"] == section and board["measure"] in measures
    ]


def _is_split(pairs: Pairs, split: dict[str, Any]) -> bool:
    """The right number of studies, and every known member of the split among them."""
    counted = pairs.counted
    if len(pairs) != split["studies"] or counted.get("references", len(pairs)) != split["studies"]:
        return False
    if counted.get("references without a prediction", 0):
        return False
    uids = [found[1] for name in pairs.ids if (found := _UID.match(name)) is not None]
    marks = {hashlib.sha256(uid.encode()).hexdigest()[:8] for uid in uids}
    return set(split["members"].split()) <= marks


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(
        files("xemplar.evaluation.texts").joinpath("anchors.toml").read_text(encoding="utf-8")
    )
