"""A recipe: one TOML file that says how a system is made. Unknown keys are an error.

Knows settings alone: model, objectives, loop, second stages and assembly, at up to three sizes.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from xemplar.assembly import Assembly
from xemplar.errors import XemplarError
from xemplar.models.config import MatcherConfig, ModelConfig

Size = Literal["tiny", "small", "published"]
SIZES: tuple[Size, ...] = get_args(Size)
LONGEST = 40
"""Letters of a wrong value that an error shows."""


class Augmentation(BaseModel):
    """How much a training image is moved and re-exposed; each drawn uniformly within its range."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotation: float = Field(default=5.0, ge=0, le=45)
    """Degrees either way."""
    shift: float = Field(default=0.05, ge=0, le=0.5)
    """Share of the side, either way."""
    zoom: float = Field(default=0.08, ge=0, le=0.5)
    contrast: float = Field(default=0.2, ge=0, le=0.9)
    brightness: float = Field(default=0.1, ge=0, le=0.9)
    erase: float = Field(default=0.0, ge=0, le=0.5)
    """Largest share of the side that a square blanked out of the image has."""


class Objective(BaseModel):
    """What pulls images and texts of a dual encoder together; weights of 0 leave a part out.

    `alignment`: "info_nce" with a learnt temperature, "sigmoid" (SigLIP), "soft_targets" from both
    similarities (MedCLIP, put right), or "as_medclip", its published loss to the letter.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    alignment: Literal["info_nce", "sigmoid", "soft_targets", "as_medclip"] = "info_nce"
    temperature: float = Field(default=1.0, gt=0.0)
    """Of soft targets, which learn none; for them vectors are as long as the root of `dim`, which they are
    behind MedCLIP's LayerNorm."""
    positives: Literal["text", "claims"] = "text"
    """Which sentences are right for an image: those that its report holds word for word, or also those
    that claim (finding, presence, side) nothing but what its report claims in other words."""
    rarity: float = Field(default=0.0, ge=0.0, le=1.0)
    """How much more of the target a text gets that is right for few images of the batch; 0: no more."""
    flips: int = Field(default=0, ge=0)
    """Sentences of a study that are shown a second time with one claim turned round, as wrong ones."""
    teacher: float = Field(default=0.0, ge=0.0)
    """Weight of a slow copy's targets by optimal transport (TxtRayAlign)."""
    teacher_decay: float = Field(default=0.999, gt=0.0, lt=1.0)
    classes: float = Field(default=0.0, ge=0.0)
    """Weight of findings read off the shared space, images' and texts' alike (after X-TRA)."""
    same_findings: float = Field(default=0.0, ge=0.0)
    """Weight of drawing together images of equal finding sets (after X-TRA)."""

    @model_validator(mode="after")
    def _nothing_unheard(self) -> Objective:
        """What an alignment takes no notice of is refused, not ignored."""
        if self.rarity and self.alignment != "info_nce":
            raise ValueError(f'rarity weighs targets of "info_nce" alone, not of "{self.alignment}"')
        if self.alignment in ("soft_targets", "as_medclip"):
            heard = {"flips": self.flips, 'positives = "claims"': self.positives == "claims"}
            if odd := [name for name, given in heard.items() if given]:
                raise ValueError(f'"{self.alignment}" meets each image with its own text: no {odd[0]}')
        return self


class Matching(BaseModel):
    """A second stage that judges pairs of image and text; `positive` reports against mined negatives.

    `layers` 0 fine-tunes the matcher that was trained first (X-REM); more are that many cross-attending
    layers of our own over a dual encoder's states, which stay as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layers: int = Field(default=0, ge=0, le=12)
    epochs: int = Field(default=5, ge=1)
    batch: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=5e-4, gt=0)
    alpha: float = Field(default=0.4, ge=0.0, le=1.0)
    """Share of the slow copy's opinion (X-REM)."""
    unit: Literal["report", "sentence"] = "report"
    """What is judged: whole reports, against the two that `negatives` names; or, by layers of our own,
    sentences against their flips and those that claim otherwise."""
    negatives: Literal["labels", "random"] = "labels"
    """Of reports: the nearest different finding vector and a random different one, or two random ones."""

    @model_validator(mode="after")
    def _sentences_need_layers(self) -> Matching:
        if self.unit == "sentence" and not self.layers:
            raise ValueError('unit "sentence" is judged by layers of our own: wanted layers of 1 or more')
        return self


class Neighbours(BaseModel):
    """A head that looks at a query's nearest neighbours (after X-TRA), trained on the finished vectors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[Literal["image", "report"], ...] = ("image", "report")
    pick: Literal["nearest", "random"] = "nearest"
    """Random ones are the control that nearest ones have to beat."""
    heads: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    epochs: int = Field(default=40, ge=1)
    batch: int = Field(default=64, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)


class Linear(BaseModel):
    """A linear space beside the network's: `weight` times its cosine is added to the network's.

    Ridge regression from `pixels` x `pixels` to `dimensions` latent words, fitted on the training part
    alone; `centred` takes each side's mean over it away.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float = Field(default=0.5, gt=0.0, le=10.0)
    pixels: int = Field(default=32, ge=4, le=256)
    dimensions: int = Field(default=128, ge=1, le=1024)
    centred: bool = True


class Training(BaseModel):
    """The loop's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text_unit: Literal["report", "sentence", "both"] = "both"
    """What images are aligned with: whole reports, single sentences, or both, as two equal losses."""
    sentences: int = Field(default=2, ge=1)
    """Sentences drawn from each study's report in a step, rare ones sooner."""
    batch: int = Field(default=64, ge=2)
    """Studies that are told apart in a step, over all processes; a smaller corpus is one batch."""
    chunk: int = Field(default=0, ge=0)
    """Rows embedded at a time, so that a batch needs the memory of so many; 0: all at once. It costs a
    second forward pass, and the gradients are the whole batch's."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are averaged for a step; only within each are studies told apart."""
    frozen_norm: bool = False
    """BatchNorm keeps the statistics that it came with; for pretrained backbones."""
    epochs: int = Field(default=10, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    warmup: float = Field(default=0.1, ge=0, le=0.5)
    """Share of all steps."""
    patience: int = Field(default=5, ge=1)
    """Epochs without a better validation score before it stops."""
    average: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Decay of the moving average of the weights that is kept as the model; 0 keeps the last weights."""
    precision: Literal["fp32", "bf16"] = "fp32"
    augmentation: Augmentation = Augmentation()
    word_dropout: float = Field(default=0.0, ge=0.0, le=0.9)
    """Share of words left out of a training text."""
    seed: int = 0


class Recipe(BaseModel):
    """A whole system: its model, what it is taught by, and how its hits become text.

    Either `model`, a dual encoder, or `matcher`, of ALBEF's kind, which brings its own objectives.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    domain: Literal["chest", "any"]
    size: Size = "tiny"
    """Which of the sizes this is, as `load_recipe` was asked."""
    model: ModelConfig | None = None
    matcher: MatcherConfig | None = None
    objective: Objective = Objective()
    training: Training = Training()
    linear: Linear | None = None
    matching: Matching | None = None
    neighbours: Neighbours | None = None
    assembly: Assembly = Assembly()

    @model_validator(mode="after")
    def _one_model(self) -> Recipe:
        if (self.model is None) == (self.matcher is None):
            raise ValueError("a recipe has either `model` (a dual encoder) or `matcher`")
        if self.matcher is not None and self.matcher.dim is None:
            raise ValueError("the matcher of a recipe has `dim`, a shared space to search in")
        return self

    @model_validator(mode="after")
    def _evidence_is_of_sentences(self) -> Recipe:
        """A judge of whole reports says little of a sentence, and would be believed all the same."""
        stage = self.matching if self.model is not None else None
        if stage is None or not stage.layers or self.assembly.policy != "evidence":
            return self
        if stage.unit == "report":
            raise ValueError(
                'assembly.policy "evidence" weighs sentences, and matching.unit is "report": set '
                'matching.unit = "sentence"'
            )
        return self

    @property
    def text_tokens(self) -> int:
        """Tokens of a text that the model reads."""
        if self.model is not None:
            return self.model.text.max_tokens
        return self.matcher.text.max_tokens if self.matcher is not None else 0


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("xemplar.training") / "recipes"
    names = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_recipe(name: str, size: str = "tiny") -> tuple[Recipe, str]:
    """A recipe by the name of a shipped one or the path of a TOML file; also its text.

    What its table `sizes.<size>` says is laid over the rest. A recipe without sizes is of one alone,
    "tiny".
    """
    text = _text_of(name)
    try:
        values = _sized(tomllib.loads(text), size, where=f"recipe {name}")
        return Recipe.model_validate(values), text
    except tomllib.TOMLDecodeError as error:
        raise XemplarError(f"not TOML: {error}", where=name) from None
    except ValidationError as error:
        raise _told(error, where=f"recipe {name}") from None


def _told(error: ValidationError, *, where: str) -> XemplarError:
    """The first mistake, with what was found; of a key that isn't known also the table's own keys."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    value = _shown(first["input"])
    if first["type"] == "extra_forbidden":
        return XemplarError(
            f"{place}: no such key (it is {value})",
            wanted=f"one of {', '.join(_keys_of(first['loc'][:-1]))}",
            where=where,
            remedy="a typing error, or a key of another table: docs/recipes.md has all",
        )
    if first["type"] == "value_error":  # the house's own words, which name what doesn't go together
        said = first["msg"].removeprefix("Value error, ")
        return XemplarError(f"{place}: {said}" if place else said, where=where)
    told = first["msg"] if first["type"] == "missing" else f"{value}: {first['msg']}"
    return XemplarError(f"{place}: {told}", where=where)


def _shown(value: object) -> str:
    """A value as TOML has it, cut where it is long."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    said = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]} ..."


def _keys_of(place: Sequence[int | str]) -> list[str]:
    """The keys of a recipe's table, by its place; none where it isn't one that is known."""
    table: type[BaseModel] | None = Recipe
    for part in place:
        field = None if table is None else table.model_fields.get(str(part))
        kinds = () if field is None else (field.annotation, *get_args(field.annotation))
        table = next((one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)), None)
    return [] if table is None else list(table.model_fields)


def _text_of(name: str) -> str:
    path = Path(name)
    if path.suffix == ".toml":
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise XemplarError(f"recipe can't be read ({error.strerror})", where=name) from None
        except UnicodeDecodeError:
            raise XemplarError("not TOML: not a text in UTF-8", where=name) from None
    if name not in (names := shipped_recipes()):
        raise XemplarError(f"no recipe {name!r}", wanted=f"one of {', '.join(names)}, or a .toml file")
    return (resources.files("xemplar.training") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")


def _sized(values: dict[str, Any], size: str, *, where: str) -> dict[str, Any]:
    sizes = values.pop("sizes", {"tiny": {}})
    if size not in sizes or size not in SIZES:
        known = ", ".join(one for one in SIZES if one in sizes)
        raise XemplarError(f"no size {size!r}", wanted=f"one of {known}", where=where)
    if other := sorted(set(sizes) - set(SIZES)):
        raise XemplarError(f"sizes.{other[0]} is no size", wanted=", ".join(SIZES), where=where)
    return {**_laid_over(values, sizes[size]), "size": size}


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key, save a backbone's `config`, which is taken whole."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict) and key != "config"
        merged[key] = _laid_over(old, value) if both and isinstance(old, dict) else value
    return merged
