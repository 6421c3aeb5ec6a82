"""What a recipe trains after its first stage: what ranks candidates again, the neighbours' head.

Knows the order and the folders; each stage is trained next door, and a finished one is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.models.checkpoint import open_model
from xemplar.models.layout import LINEAR, NEIGHBOURS, RERANKER
from xemplar.models.system import open_encoder
from xemplar.training.judging import train_judge
from xemplar.training.learners.pairs import PairLearner, pair_recipe
from xemplar.training.linear import train_linear
from xemplar.training.loop import Progress, train
from xemplar.training.neighbours import train_neighbours
from xemplar.training.ranks import started
from xemplar.training.recipe import Recipe

MODEL = "model"
"""The first stage's name; the others are named by their folders."""

Steps = Callable[[int, int, str], None]
"""Told after each step: how many are done, of how many, and what is worth saying."""

Told = Callable[[str], Steps]
"""Name of a stage -> who is told of its steps."""


def train_system(
    corpus: Corpus, recipe: Recipe, folder: Path, *, recipe_text: str, told: Told | None = None
) -> dict[str, Json]:
    """Train every stage of a recipe into a model folder; each stage's manifest by its name.

    Stopped at any moment, the same call goes on where it was; finished stages are kept. Of several
    processes the first trains the later stages, and answers for the others.
    """
    _refuse_unmined(corpus, recipe)
    show = _of_loop((told or _nobody)(MODEL))
    found = {MODEL: train(corpus, recipe, folder, recipe_text=recipe_text, on_progress=show)}
    if not started().first:
        return found
    return found | finish(corpus, recipe, folder, recipe_text=recipe_text, told=told)


def _refuse_unmined(corpus: Corpus, recipe: Recipe) -> None:
    """Refuse, before anything is trained, wrong reports mined by labels where no text claims any."""
    stage = recipe.matching
    mines = stage is not None and stage.unit == "report" and stage.negatives == "labels"
    if mines and corpus.settings.texts == "captions":
        raise XemplarError(
            "captions, which claim no findings that wrong ones could be mined by",
            wanted='matching.negatives = "random"', where=f"recipe {recipe.name}",
            remedy="copy the recipe, set that key and train with the copy; `benchmark` does so by itself",
        )  # fmt: skip


def finish(
    corpus: Corpus, recipe: Recipe, folder: Path, *, recipe_text: str, told: Told | None = None
) -> dict[str, Json]:
    """Train a recipe's later stages on the finished first one that a model folder holds, whoever made it."""
    steps = told or _nobody
    found: dict[str, Json] = {}
    if recipe.linear is not None:
        found[LINEAR] = train_linear(
            corpus, recipe.linear, folder / LINEAR, encoder=open_model(folder), seed=recipe.training.seed
        )
    if recipe.matching is not None:
        found[RERANKER] = _reranker(corpus, recipe, folder, recipe_text=recipe_text, steps=steps(RERANKER))
    if recipe.neighbours is not None:
        found[NEIGHBOURS] = _neighbours(corpus, recipe, folder, steps=steps(NEIGHBOURS))
    return found


def _nobody(_stage: str) -> Steps:
    return lambda *_: None


def _reranker(corpus: Corpus, recipe: Recipe, folder: Path, *, recipe_text: str, steps: Steps) -> Json:
    """X-REM's second stage, of its own matcher; or a judge over a dual encoder's states."""
    if recipe.matcher is None:
        return train_judge(corpus, recipe, folder, out=folder / RERANKER, on_progress=_of_loop(steps))
    return train(
        corpus,
        pair_recipe(recipe),
        folder / RERANKER,
        recipe_text=recipe_text,
        on_progress=_of_loop(steps),
        learner=partial(PairLearner, first=folder),
    )


def _neighbours(corpus: Corpus, recipe: Recipe, folder: Path, *, steps: Steps) -> Json:
    def show(epoch: int, of: int, best: float) -> None:
        steps(epoch, of, f"best {best:.3f}")

    return train_neighbours(
        corpus, recipe, folder / NEIGHBOURS, encoder=open_encoder(folder), on_progress=show
    )


def _of_loop(steps: Steps) -> Callable[[Progress], None]:
    def show(at: Progress) -> None:
        note = f"loss {at.loss:.3f}, best {max(at.best, 0):.3f}, {at.pairs_per_second:.0f} pairs/s"
        steps(at.step, at.steps, note)

    return show
