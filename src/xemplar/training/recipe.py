"""A recipe: one TOML file that says how a model is made. Unknown keys are an error."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xemplar.errors import XemplarError
from xemplar.models.config import ModelConfig


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


class Training(BaseModel):
    """The loop's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text_unit: Literal["report", "sentence", "both"] = "both"
    """What images are aligned with: whole reports, single sentences, or both, as two equal losses."""
    sentences: int = Field(default=2, ge=1)
    """Sentences drawn from each study's report in a step, rare ones sooner."""
    positives: Literal["text", "claims"] = "text"
    """Which sentences are right for an image: those that its report holds word for word, or also those
    that claim (finding, presence, side) nothing but what its report claims in other words."""
    rarity: float = Field(default=0.0, ge=0.0, le=1.0)
    """How much more of the target a text gets that is right for few images of the batch; 0: no more."""
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
    """A whole system: its model and how it is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    domain: Literal["chest", "any"]
    model: ModelConfig
    training: Training = Training()


def load_recipe(name: str) -> tuple[Recipe, str]:
    """A recipe by the name of a shipped one or the path of a TOML file; also its text."""
    path = Path(name)
    if path.suffix == ".toml":
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise XemplarError(f"recipe can't be read ({error.strerror})", where=name) from None
        except UnicodeDecodeError:
            raise XemplarError("not TOML: not a text in UTF-8", where=name) from None
    else:
        shipped = resources.files("xemplar.training") / "recipes"
        names = sorted(
            entry.name.removesuffix(".toml") for entry in shipped.iterdir() if entry.name.endswith(".toml")
        )
        if name not in names:
            raise XemplarError(f"no recipe {name!r}", wanted=f"one of {', '.join(names)}, or a .toml file")
        text = (shipped / f"{name}.toml").read_text(encoding="utf-8")
    try:
        return Recipe.model_validate(tomllib.loads(text)), text
    except tomllib.TOMLDecodeError as error:
        raise XemplarError(f"not TOML: {error}", where=name) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        remedy = "probably a typing error" if first["type"] == "extra_forbidden" else ""
        raise XemplarError(f"{place}: {first['msg']}", where=f"recipe {name}", remedy=remedy) from None
