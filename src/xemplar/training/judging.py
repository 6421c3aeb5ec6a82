"""Training of a judge of pairs over a finished dual encoder, whose states are computed once.

Knows a corpus's training part, the encoder's states and which sentences or reports are true of a study
by what its report says; never what was drawn. Of several views one is shown at a time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.folders import check_new, clear_leftovers, fingerprint, read_finished, read_manifest, writing
from xemplar.models.blocks import decay_groups
from xemplar.models.checkpoint import open_model
from xemplar.models.judging import JudgeConfig, JudgeNet, States
from xemplar.models.judging_folder import KIND, MANIFEST, VERSION, save_judge
from xemplar.models.matching import PreparedTexts, alike
from xemplar.training.loop import VALIDATED, Progress, Report
from xemplar.training.objectives.judged import Against, Drawn, Rows, Sentences
from xemplar.training.objectives.judged_reports import Reports
from xemplar.training.recipe import Matching, Recipe
from xemplar.training.sampling import Pair, hold_back, pairs_of

_OURS = r"\.?weights\.safetensors(\.tmp)?"
_WEIGHT_DECAY = 0.05
_WARM = 0.05
_SCORED = 256
"""Pairs judged at once among those held back."""


def train_judge(
    corpus: Corpus, recipe: Recipe, model: Path, *, out: Path, on_progress: Report | None = None
) -> Json:
    """Train a recipe's judge over the model folder's dual encoder into `out`; returns its manifest.

    The best epoch is that of the highest mean of how often a held-back study's own text is judged above
    what is false of it, over the kinds of these: for sentences a flipped, a mined and a random one, and
    itself with another's film; for reports a mined and a random one.
    A finished judge of the same settings, encoder and corpus is returned as it is; one of others is
    refused.
    """
    stage = _stage(recipe)
    with torch.random.fork_rng(devices=[]), writing(out):
        states = States(open_model(model))
        corpus.check_previews(states.encoder.preview)
        ours = [stage.model_dump(mode="json"), recipe.training.seed]
        origin = fingerprint([*ours, states.encoder.fingerprint, corpus.fingerprint])
        if (out / MANIFEST).exists():
            return _finished(out, origin)
        check_new(out, but=_OURS)
        clear_leftovers(out)
        run = _Run(corpus, states, stage, seed=recipe.training.seed)
        results = run.run(on_progress)
        facts = {
            "encoder": states.encoder.fingerprint,
            "domain": corpus.settings.domain,
            "preview_fingerprint": corpus.settings.preview.fingerprint,
            "recipe": recipe.name,
            "origin": origin,
            "trained_on": {"corpus": corpus.fingerprint, "title": corpus.title, **run.counts()},
            "results": results,
        }
        save_judge(out, run.net, facts=facts)
    return read_manifest(out, MANIFEST, kind=KIND, version=VERSION)


def _stage(recipe: Recipe) -> Matching:
    if recipe.model is None or recipe.matching is None or not recipe.matching.layers:
        raise XemplarError(
            "no second stage over a dual encoder", wanted="`model`, and `matching` with layers of at least 1",
            where=f"recipe {recipe.name}",
        )  # fmt: skip
    return recipe.matching


def _finished(folder: Path, origin: str) -> Json:
    what = "judge of other settings, another encoder or another corpus"
    return read_finished(folder, KIND, version=VERSION, origin=origin, what=what)


class _Said(Protocol):
    """Texts of some studies, and pairs of a study and a text, true and false ones."""

    kinds: tuple[str, ...]
    texts: list[str]

    @property
    def pairs(self) -> Sequence[Pair]: ...

    @property
    def count(self) -> int:
        """Texts that were written, without flips."""

    def draw(self, rows: Rows, rng: np.random.Generator) -> Drawn: ...

    def against(self, kind: str, rows: Rows, rng: np.random.Generator) -> Against: ...


def _said(corpus: Corpus, stage: Matching, pairs: Sequence[Pair], *, learnt: int) -> _Said:
    if stage.unit == "report":
        return Reports(pairs, learnt=learnt, by=stage.negatives)
    found = Sentences(corpus, pairs, learnt=learnt)
    if not any(len(own) for own in found.own[:learnt]):
        raise XemplarError(
            "no sentence of the training part claims any finding", wanted="reports that do",
            where=str(corpus.folder),
            remedy='leave out the recipe\'s table [matching], or set matching.unit = "report"',
        )  # fmt: skip
    return found


class _Run:
    """One judge in training: who learns, who is held back, their states, and the net as it was best."""

    def __init__(self, corpus: Corpus, states: States, stage: Matching, *, seed: int) -> None:
        self.stage, self.seed = stage, seed
        learnt, held = hold_back(pairs_of(corpus, "train"), seed)
        held = held[:VALIDATED]
        self.said = _said(corpus, stage, [*learnt, *held], learnt=len(learnt))
        self.learnt = np.arange(len(learnt))
        self.held = np.arange(len(learnt), len(learnt) + len(held))
        self.texts = states.reader("training").prepare(self.said.texts)
        self.limit = states.model.config.text.max_tokens
        views = [view for pair in self.said.pairs for view in pair.view_ids]
        self.first = np.cumsum([0, *(len(pair.view_ids) for pair in self.said.pairs)])
        shown = [states.of_images(corpus.previews([view])) for view in views]
        self.images, self.vectors = (np.concatenate(parts) for parts in zip(*shown, strict=True))
        self.text_vectors = states.encoder.encode_texts(self.said.texts)
        torch.manual_seed(seed)
        self.net = JudgeNet(self._config(states)).to(states.device)
        self.against = self._against()

    def _config(self, states: States) -> JudgeConfig:
        width = self.texts.states.shape[1]
        return JudgeConfig(
            layers=self.stage.layers, width=width, heads=max(1, width // 32), inner=2 * width,
            image_width=self.images.shape[2], positions=self.images.shape[1], text_width=width,
            dim=self.vectors.shape[1],
            pool=states.model.config.text.pool,
        )  # fmt: skip

    def run(self, on_progress: Report | None) -> Json:
        """Train through all epochs and leave the net as it was best."""
        optimizer = torch.optim.AdamW(decay_groups(self.net, _WEIGHT_DECAY))
        batches = math.ceil(len(self.learnt) / self.stage.batch)
        steps, step = batches * self.stage.epochs, 0
        cosine = self.validate()  # the net adds nothing yet
        best: Json = {"epoch": 0, **cosine}
        kept = self._state()
        for epoch in range(self.stage.epochs):
            for drawn in self._batches(epoch, batches):
                began = time.monotonic()
                for group in optimizer.param_groups:
                    group["lr"] = self.stage.learning_rate * _rate(step / steps)
                loss = self._learn(drawn, optimizer)
                step += 1
                if on_progress is not None:
                    rate = len(drawn.texts) / max(time.monotonic() - began, 1e-9)
                    on_progress(Progress(step, steps, loss, best["score"], rate))
            scores = self.validate()
            if scores["score"] > best["score"]:
                best, kept = {"epoch": epoch + 1, **scores}, self._state()
        self.net.load_state_dict(kept)
        return {**best, "cosine": cosine}

    def counts(self) -> Json:
        """Studies learnt from and held back, and texts, flips among them.

        Of whole reports those studies to learn from, too, that have none to tell theirs from.
        """
        texts = {"written": self.said.count, "texts": len(self.said.texts)}
        if isinstance(self.said, Reports):
            texts["left_out"] = self.said.left_out
        return {"unit": self.stage.unit, "learnt": len(self.learnt), "held_back": len(self.held), **texts}

    def validate(self) -> Json:
        """How often a study's own text is judged above what is false, by kind, and the mean of them.

        Equal scores count as wrong; a kind of which there is no pair is None, and without any the score is 0.
        """
        found: Json = {}
        for kind, pairs in self.against.items():
            own = self._judged(pairs.studies, pairs.own)
            other = self._judged(pairs.other_studies, pairs.other)
            found[kind] = float((own > other).mean()) if len(own) else None
        known = [value for value in found.values() if value is not None]
        return {"score": sum(known) / len(known) if known else 0.0, **found}

    def _against(self) -> dict[str, Against]:
        return {
            kind: self.said.against(kind, self.held, np.random.default_rng([self.seed, 33, number]))
            for number, kind in enumerate(self.said.kinds)
        }

    def _batches(self, epoch: int, count: int) -> Iterator[Drawn]:
        """The epoch's pairs, those drawn for a study together."""
        rng = np.random.default_rng([self.seed, 31, epoch])
        drawn = self.said.draw(self.learnt, rng)
        ends = [*drawn.starts, len(drawn.texts)]
        for part in np.array_split(np.arange(len(drawn.starts)), count):
            at = slice(int(ends[part[0]]), int(ends[part[-1] + 1]))
            yield Drawn(drawn.studies[at], drawn.texts[at], drawn.match[at], drawn.starts[part])

    def _learn(self, drawn: Drawn, optimizer: torch.optim.Optimizer) -> float:
        self.net.train()
        logits = self._logits(drawn.studies, drawn.texts)
        match = torch.from_numpy(drawn.match).to(logits)
        # Those that match and those that don't weigh the same, however many there are of each.
        share = match.mean().clamp(0.05, 0.95)
        weights = torch.where(match > 0, 0.5 / share, 0.5 / (1 - share))
        loss = functional.binary_cross_entropy_with_logits(logits, match, weight=weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        optimizer.step()
        return float(loss.detach())

    def _judged(self, studies: NDArray[np.int64], texts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of pairs, each study by its first view."""
        self.net.eval()
        out = np.zeros(len(texts), np.float32)
        order = np.argsort(self.texts.lengths[texts], kind="stable")  # so that little is padded
        with torch.inference_mode():
            for start in range(0, len(order), _SCORED):
                at = order[start : start + _SCORED]
                out[at] = self._logits(studies[at], texts[at]).cpu().numpy()
        return out

    def _logits(self, studies: NDArray[np.int64], texts: NDArray[np.int64]) -> Tensor:
        """Of pairs; in training each study is seen by one of its views, drawn by torch's generator."""
        distinct, place = np.unique(studies, return_inverse=True)
        place = place.reshape(-1)
        views = self.first[distinct]
        if self.net.training:
            counts = self.first[distinct + 1] - views
            views = views + (torch.rand(len(views)).numpy() * counts).astype(np.int64)
        device = self.net.places.device
        seen = (torch.from_numpy(part[views]).to(device) for part in (self.images, self.vectors))
        keys = self.net.image_keys(*seen)
        cosines = torch.from_numpy((self.vectors[views][place] * self.text_vectors[texts]).sum(1)).to(device)
        found, order = [], []
        for rows, length in alike(self.texts.lengths[texts], self.limit, len(texts)):
            at = torch.from_numpy(place[rows]).to(device)
            states, mask = _padded(self.texts, texts[rows], length)
            mine = [(key[at], value[at]) for key, value in keys]
            found.append(self.net(states.to(device), mask.to(device), mine, cosines=cosines[rows]))
            order.append(rows)
        back = np.argsort(np.concatenate(order))
        return torch.cat(found)[torch.from_numpy(back).to(device)]

    def _state(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.net.state_dict().items()}


def _rate(done: float) -> float:
    """Linear warm-up, then a cosine to nothing."""
    return done / _WARM if done < _WARM else 0.5 * (1 + math.cos(math.pi * (done - _WARM) / (1 - _WARM)))


def _padded(texts: PreparedTexts, rows: NDArray[np.int64], length: int) -> tuple[Tensor, Tensor]:
    """States and mask of some texts of at most `length` tokens."""
    inside: NDArray[Any] = np.arange(length) < texts.lengths[rows][:, None]
    states = np.zeros((len(rows), length, texts.states.shape[1]), np.float32)
    states[inside] = texts.states[(texts.offsets[rows][:, None] + np.arange(length))[inside]]
    return torch.from_numpy(states), torch.from_numpy(inside.astype(np.int64))
