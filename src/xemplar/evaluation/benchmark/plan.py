"""What a benchmark runs: entries, each a recipe with a seed, what is changed in it, whose encoder it takes.

Knows recipes and settings; runs nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from xemplar.contracts import Json
from xemplar.errors import XemplarError
from xemplar.evaluation.benchmark.ablations import ONE_VIEW, Variant, ablations_of
from xemplar.evaluation.floors import LINEAR
from xemplar.evaluation.texts.floors import CONSTANT, RANDOM
from xemplar.models.layout import model_folder
from xemplar.records import TextKind
from xemplar.training.recipe import Recipe, Size, load_recipe, shipped_recipes

RECIPES = ("txtrayalign", "medclip_medpix", "xrem", "xtra", "xemplar")
OURS = "xemplar"
CAPTIONS = "captions"
"""What stands for ours where texts are captions, of which nothing is claimed."""

FLOORS = "floors"
"""The entry that needs no recipe: what knows nothing, or is linear."""

CHANCE, BM25 = "chance", "BM25"
FLOOR_NAMES = (CHANCE, LINEAR, BM25, RANDOM, CONSTANT)
"""What the table calls the floors."""

MINED = "matching.negatives"
UNMINED = "captions claim nothing, so any other one is a negative"

_SECOND = ("linear", "matching", "neighbours", "assembly")
"""Tables of a recipe that an entry may change and still take another's encoder."""


class BenchmarkSettings(BaseModel):
    """What is to be compared, on how much, how often."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Size = "tiny"
    recipes: tuple[str, ...] = ()
    """None named: the five, as far as they are shipped and fit the corpus."""
    seeds: tuple[int, ...] = (1, 2, 3)
    ablations: bool = True
    studies: int = Field(default=2000, ge=40)
    """Drawn of site A, where no corpus is given; of site B three tenths as many."""
    curve: tuple[str, ...] = (OURS,)
    """Recipes that are also trained on shares of the patients."""
    shares: tuple[float, ...] = (0.05, 0.2)
    models: dict[str, Path] = {}
    """Finished model folders that are taken as they are, by the name they get in the table."""
    replicates: int = Field(default=1000, ge=20)
    seed: int = 0
    """Of the bootstrap and of the floors."""

    @model_validator(mode="after")
    def _sensible(self) -> BenchmarkSettings:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError("seeds are numbers of 0 or more, each once, and one at least")
        if any(not 0 < share < 1 for share in self.shares):
            raise ValueError("shares of the patients lie between 0 and 1")
        named = {*map(_short, self.recipes), *RECIPES, CAPTIONS}
        for name in self.models:
            if name.partition(":")[0] in named:
                raise ValueError(f"a model taken as {name!r}, which is a recipe's name")
            if name in (FLOORS, *FLOOR_NAMES):
                raise ValueError(f"a model taken as {name!r}, which is a floor's name")
            if not name.strip() or name.startswith(".") or "/" in name or "\\" in name:
                raise ValueError(f"a model taken as {name!r}; wanted a name that a folder can have")
        return self


class Entry(BaseModel):
    """One thing to run; what it comes to lies in `runs/<name>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    system: str
    """What the table calls it; entries of one system differ in their seed alone."""
    recipe: str
    size: Size = "tiny"
    seed: int = 0
    changes: dict[str, Any] = {}
    """Dotted keys laid over the recipe: {"objective.classes": 0.0}."""
    shares: str | None = None
    """Name of the entry whose trained encoder this one takes."""
    model: Path | None = None
    """A model folder taken as it is."""
    part: float = 1.0
    """Share of the training patients that it learns from and retrieves from."""
    views: Literal["all", "frontal"] = "all"
    """What a study is asked with."""
    values: Json = {}
    """The whole recipe with the changes laid over it, as it stood when the plan was made."""
    text: str = ""
    """The recipe's own text, with the changes told."""

    @model_validator(mode="after")
    def _can_share(self) -> Entry:
        if self.shares and (odd := [key for key in self.changes if key.split(".")[0] not in _SECOND]):
            raise ValueError(f"{odd[0]} is changed, which trains another encoder: it can't share one")
        return self

    @property
    def home(self) -> str:
        """Name of the entry whose encoder, and so whose index and vectors, this one has.

        A linear space beside the network is part of the encoder.
        """
        return self.shares if self.shares and "linear" not in self.retrains else self.name

    @property
    def retrains(self) -> tuple[str, ...]:
        """Which second stages an entry that shares its encoder trains for itself."""
        heads = {key.split(".")[0] for key in self.changes} - {"assembly"}
        if "assembly.neighbours" in self.changes:
            heads.add("neighbours")
        return tuple(sorted(heads)) if self.shares else ()


class Against(BaseModel):
    """A comparison that an ablation is made for: first less second, over the seeds that both have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    first: str
    second: str


class Plan(BaseModel):
    """All entries, in the order in which they are best run, and the ablations' comparisons."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ours: str
    recipes: tuple[str, ...]
    entries: tuple[Entry, ...]
    ablations: tuple[Against, ...] = ()
    left_out: dict[str, str] = {}
    """What was not planned, and why."""

    def entry(self, name: str) -> Entry:
        """An entry by its name; one that is not planned is refused."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise XemplarError(f"no entry {name!r} in the plan")

    def of(self, system: str) -> list[Entry]:
        """The entries of a system, by seed."""
        return [entry for entry in self.entries if entry.system == system]


def recipe_of(entry: Entry) -> Recipe:
    """An entry's recipe with its seed and changes laid over, as it stood when the plan was made."""
    return Recipe.model_validate(entry.values)


def _settled(entry: Entry, texts: TextKind) -> Entry:
    """The entry with its recipe written out, so that a recipe edited meanwhile changes nothing."""
    if entry.recipe == FLOORS or entry.model is not None:
        return entry
    recipe, text = load_recipe(entry.recipe, entry.size)
    changes = {"training.seed": entry.seed, **entry.changes}
    if texts == "captions" and recipe.matching is not None:
        changes[MINED] = "random"
    told = "".join(f"# laid over it: {key} = {value!r}\n" for key, value in changes.items())
    values = changed(recipe, changes).model_dump(mode="json")
    return entry.model_copy(update={"values": values, "text": told + text})


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """A recipe with dotted keys laid over it; a table or key that it hasn't is refused."""
    values: Json = recipe.model_dump()
    for key, value in changes.items():
        *tables, last = key.split(".")
        place = values
        for table in tables:
            below = place.get(table)
            if not isinstance(below, dict):
                raise XemplarError(f"the recipe has no [{table}]", where=f"recipe {recipe.name}, {key}")
            place = below
        place[last] = value
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise XemplarError(
            f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}", where=f"recipe {recipe.name}"
        ) from None


def make_plan(settings: BenchmarkSettings, *, texts: TextKind = "reports", trains: bool = True) -> Plan:
    """The entries of a benchmark; `trains`: whether the corpus has pairs of films and texts to learn from.

    A recipe that is named and not there is refused, and ours always; another of the five that isn't there
    is left out and told.
    """
    ours = CAPTIONS if texts == "captions" and OURS not in settings.recipes else OURS
    recipes, left_out = _recipes(settings, ours)
    if not trains:
        left_out |= dict.fromkeys(recipes, "no study to train on has both film and text")
        recipes = []
    entries = [Entry(name=FLOORS, system=FLOORS, recipe=FLOORS, seed=settings.seed)]
    entries += [
        Entry(name=name, system=name, recipe=name, model=model_folder(path).resolve())
        for name, path in settings.models.items()
    ]
    variants: list[Variant] = []
    if settings.ablations:
        variants, missing = _variants(settings, recipes)
        left_out |= missing
    if texts == "captions":
        variants = [one for one in variants if MINED not in one.changes]
        left_out |= {
            f"{_short(name)}: negatives mined by labels": UNMINED
            for name in recipes
            if _mines(settings, name)
        }
    for seed in settings.seeds:
        first = seed == settings.seeds[0]
        entries += [_main(settings, name, seed) for name in recipes]
        entries += [_varied(settings, one, seed) for one in variants if one.shares or one.every_seed or first]
        if first:
            entries += _curves(settings, recipes, ours)
    names = Counter(entry.name for entry in entries)
    if twice := sorted(set(settings.models) & {name for name, count in names.items() if count > 1}):
        raise XemplarError(f"a model taken as {twice[0]!r}, which an entry of the plan is named")
    asked = [against for one in variants for against in _asked_of(one)]
    return Plan(
        ours=ours,
        recipes=tuple(map(_short, recipes)),
        entries=tuple(_settled(entry, texts) for entry in entries),
        ablations=tuple(asked),
        left_out=left_out,
    )


def _recipes(settings: BenchmarkSettings, ours: str) -> tuple[list[str], dict[str, str]]:
    if settings.recipes:
        for name in settings.recipes:
            load_recipe(name, settings.size)  # what isn't there is refused before anything runs
        return list(dict.fromkeys(settings.recipes)), {}
    shipped, found, left_out = shipped_recipes(), [], {}
    for name in (*RECIPES[:-1], ours):
        try:
            if name not in shipped:
                raise XemplarError("not shipped")
            load_recipe(name, settings.size)
            found.append(name)
        except XemplarError as error:
            if name == ours:
                raise XemplarError(
                    f"ours, {ours}, can't be run: {error}",
                    remedy="take a size that it has, or name others with --recipes to compare those alone",
                ) from None
            left_out[name] = str(error)
    return found, left_out


def _mines(settings: BenchmarkSettings, name: str) -> bool:
    recipe, _ = load_recipe(name, settings.size)
    return recipe.matching is not None and recipe.matching.negatives == "labels"


def _main(settings: BenchmarkSettings, recipe: str, seed: int) -> Entry:
    return Entry(
        name=f"{_short(recipe)}-{seed}", system=_short(recipe), recipe=recipe, size=settings.size, seed=seed
    )


def _varied(settings: BenchmarkSettings, variant: Variant, seed: int) -> Entry:
    whole = _main(settings, variant.recipe, seed)
    return Entry(
        name=f"{whole.system}.{variant.what.replace(' ', '_')}-{seed}",
        system=f"{whole.system}: {variant.what}",
        recipe=variant.recipe, size=settings.size, seed=seed, changes=variant.changes,
        shares=whole.name if variant.shares else None,
        views="frontal" if variant.what == ONE_VIEW else "all",
    )  # fmt: skip


def _curves(settings: BenchmarkSettings, recipes: Sequence[str], ours: str) -> Iterator[Entry]:
    """Of the recipes asked for, one entry a share of the patients."""
    asked = [ours if name == OURS else name for name in settings.curve]
    for recipe in recipes if settings.ablations else ():
        for share in settings.shares if recipe in asked else ():
            whole = _main(settings, recipe, settings.seeds[0])
            yield whole.model_copy(
                update={
                    "name": f"{whole.system}.of_{share:g}-{whole.seed}",
                    "system": f"{whole.system}: {share:.0%} of patients",
                    "part": share,
                }
            )


def _variants(settings: BenchmarkSettings, recipes: Sequence[str]) -> tuple[list[Variant], dict[str, str]]:
    """The ablations that the recipes allow; those that a recipe has no table for are told."""
    found, left_out = [], {}
    for name in recipes:
        recipe, _ = load_recipe(name, settings.size)
        for variant in ablations_of(recipe):
            try:
                changed(recipe, variant.changes)
                found.append(variant.model_copy(update={"recipe": name}))
            except XemplarError as error:
                left_out[f"{name}: {variant.what}"] = str(error)
    return found, left_out


def _asked_of(variant: Variant) -> list[Against]:
    def system(what: str) -> str:
        return f"{short}: {what}" if what else short

    short = _short(variant.recipe)
    return [
        Against(question=f"{short}: {question}", first=system(first), second=system(second))
        for question, first, second in variant.asks
    ]


def _short(recipe: str) -> str:
    """A recipe's name, also of one that is a file."""
    return Path(recipe).stem if recipe.endswith(".toml") else recipe
