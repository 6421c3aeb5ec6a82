"""What the loop asks of whatever it trains, and what it lends it.

Knows the promise alone; each kind of model keeps it in a module beside this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.training.cached import Passes
from xemplar.training.ranks import Ranks
from xemplar.training.recipe import Recipe
from xemplar.training.sampling import Batch, Pair


class NotFinite(Exception):
    """Something of a batch is no number; the message says what. The loop names the batch and stops."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a learner stands on: corpus, recipe, who learns and who is held back, and the processes."""

    corpus: Corpus
    recipe: Recipe
    pairs: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    ranks: Ranks
    passes: Passes

    @property
    def facts(self) -> Json:
        """What every model folder says of its origin."""
        settings = self.corpus.settings
        return {
            "domain": settings.domain,
            "texts": settings.texts,
            "preview_fingerprint": settings.preview.fingerprint,
        }


class Learner(Protocol):
    """One model in training."""

    measure: str
    """Which of the validation's scores the best weights are chosen by; higher is better."""

    @property
    def module(self) -> nn.Module:
        """All that is learnt or remembered from step to step."""
        ...

    @property
    def input_size(self) -> int:
        """Pixels a side of the images it takes."""
        ...

    def backward(self, batch: Batch, *, of: int) -> float:
        """Add a batch's gradients, divided by `of`; its loss, undivided. Raises NotFinite."""
        ...

    def after_step(self) -> None:
        """What follows a step of the optimiser: bounds, slow copies."""
        ...

    def kept(self) -> Mapping[str, Tensor]:
        """Of the module's state what becomes the model: what is averaged and of which the best is kept."""
        ...

    def validate(self) -> dict[str, float]:
        """Scores among those held back, with the weights as they are; `measure` is one of them."""
        ...

    def write(self, folder: Path, *, recipe_text: str, facts: Json) -> None:
        """Write the model folder, its manifest last."""
        ...


def names_of(rows: Sequence[int], batch: Batch, *, shown: int = 5) -> str:
    """The studies of some rows, the first few by name."""
    return ", ".join(batch.study_ids[row] for row in rows[:shown])
