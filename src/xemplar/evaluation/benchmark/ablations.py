"""What each recipe's claims need to be believed: systems that differ from it in one thing.

Knows recipes and questions; plans and runs nothing.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from xemplar.contracts import Json
from xemplar.training.recipe import Recipe

ONE_VIEW, COSINE, ITM = "one view", "cosine alone", "cosine + ITM"


class Variant(BaseModel):
    """A system that differs from its recipe in one thing, and the comparisons that it is made for."""

    recipe: str
    what: str
    changes: dict[str, Any]
    asks: tuple[tuple[str, str, str], ...]
    """A question, and the two that answer it, the first less the second: "" is the recipe itself."""
    shares: bool = True
    every_seed: bool = False
    """Whether an aim rests on it, so that it is trained with every seed and not with the first alone."""


def ablations_of(recipe: Recipe) -> list[Variant]:
    """What each recipe's claims need to be believed."""
    table = {
        "txtrayalign": _of_txtrayalign, "medclip_medpix": _of_medclip, "xrem": _of_xrem, "xtra": _of_xtra,
        "xemplar": _of_xemplar,
    }  # fmt: skip
    return table[recipe.name](recipe) if recipe.name in table else []


def _of_txtrayalign(recipe: Recipe) -> list[Variant]:
    return [
        _switch(recipe, "teacher", "objective.teacher", on=1.0, question="a teacher's targets"),
    ]


def _of_medclip(recipe: Recipe) -> list[Variant]:
    changes, asks = {"objective.alignment": "info_nce"}, ("soft targets against InfoNCE", "", "InfoNCE")
    return [Variant(recipe=recipe.name, what="InfoNCE", changes=changes, asks=(asks,), shares=False)]


def _of_xrem(recipe: Recipe) -> list[Variant]:
    cosine = {"assembly.policy": "top", "assembly.unit": "report"}
    return [
        Variant(
            recipe=recipe.name, what=COSINE, changes=cosine,
            asks=(("all stages against cosine alone", "", COSINE),),
        ),
        Variant(
            recipe=recipe.name, what=ITM, changes={"assembly.filter": "none"},
            asks=(("ITM above cosine alone", ITM, COSINE), ("the filter above ITM", "", ITM)),
        ),
        *_random_negatives(recipe),
    ]  # fmt: skip


def _random_negatives(recipe: Recipe) -> list[Variant]:
    """A matcher's wrong reports drawn at random, where its own are mined by labels."""
    stage = recipe.matching
    if stage is None or stage.unit != "report" or stage.negatives != "labels":
        return []
    what, changes = "random negatives", {"matching.negatives": "random"}
    asks = ("negatives mined by labels against random ones", "", what)
    return [Variant(recipe=recipe.name, what=what, changes=changes, asks=(asks,))]


def _of_xtra(recipe: Recipe) -> list[Variant]:
    looks: dict[str, Json] = {
        "no neighbours": {"neighbours.sources": []},
        "random neighbours": {"neighbours.pick": "random"},
        "images alone": {"neighbours.sources": ["image"]},
        "reports alone": {"neighbours.sources": ["report"]},
    }
    found = [
        Variant(
            recipe=recipe.name, what=what, changes=changes,
            asks=((f"images and reports as neighbours against {what}", "", what),),
        )
        for what, changes in looks.items()
    ]  # fmt: skip
    without = {"objective.classes": 0.0, "objective.same_findings": 0.0}
    asks = ("class supervision", "", "without classes")
    return [
        *found,
        Variant(
            recipe=recipe.name, what="without classes", changes=without, asks=(asks,), shares=False,
            every_seed=True,
        ),
    ]  # fmt: skip


def _of_xemplar(recipe: Recipe) -> list[Variant]:
    claims = recipe.objective.positives == "claims"
    what = "targets by text" if claims else "targets by claims"
    both = ("", what) if claims else (what, "")
    nearest = {"assembly.policy": "top", "assembly.unit": "report", "assembly.count": 1}
    return [
        _switch(recipe, "flips", "objective.flips", on=1, question="negatives with a claim flipped"),
        Variant(
            recipe=recipe.name, what=what, changes={"objective.positives": "text" if claims else "claims"},
            asks=(("targets that know claims", *both),), shares=False,
        ),
        Variant(
            recipe=recipe.name, what="nearest report", changes=nearest,
            asks=(("evidence against the nearest report", "", "nearest report"),),
        ),
        *_without(recipe, "linear", "a linear space beside the network"),
        *_without(recipe, "matching", "a matcher's scores as evidence"),
        *_random_negatives(recipe),
        Variant(
            recipe=recipe.name, what=ONE_VIEW, changes={}, asks=(("both views against one", "", ONE_VIEW),)
        ),
    ]  # fmt: skip


def _without(recipe: Recipe, table: str, question: str) -> list[Variant]:
    """The recipe without a stage that it has."""
    if getattr(recipe, table) is None:
        return []
    what = f"without {table}"
    return [Variant(recipe=recipe.name, what=what, changes={table: None}, asks=((question, "", what),))]


def _switch(recipe: Recipe, what: str, key: str, *, on: float, question: str) -> Variant:
    """The recipe without something that it has, or with something that it hasn't."""
    has = getattr(recipe.objective, key.split(".")[1]) > 0
    name = f"without {what}" if has else f"with {what}"
    first, second = ("", name) if has else (name, "")
    changes = {key: type(on)(0) if has else on}
    return Variant(
        recipe=recipe.name, what=name, changes=changes, asks=((question, first, second),), shares=False
    )
