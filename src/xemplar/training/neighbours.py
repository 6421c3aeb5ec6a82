"""Training of the head that looks at neighbours (after X-TRA), on a finished encoder's frozen vectors.

Knows a corpus's training part, its vectors and what its reports claim; never what was drawn. Van
Sonsbeek and Worring, X-TRA, 2023, published neither code nor settings: losses and settings are ours.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from xemplar.contracts import Encoder, Json
from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.findings import FINDINGS, summarise
from xemplar.folders import check_new, clear_leftovers, fingerprint, read_finished, read_manifest, writing
from xemplar.metrics.classification import average_precision, mean_of_defined
from xemplar.metrics.ranking import right_ranks
from xemplar.models.dual import MAX_SCALE
from xemplar.models.neighbours import NOBODY, NeighbourConfig, NeighbourHead, gathered, neighbour_table
from xemplar.models.neighbours_folder import MANIFEST, VERSION, Looks, save_neighbours
from xemplar.records import Vectors
from xemplar.report import text_key
from xemplar.training.objectives.contrastive import clamp_scale, info_nce
from xemplar.training.recipe import Recipe
from xemplar.training.sampling import Pair, hold_back, pairs_of

_OURS = r"\.?weights\.safetensors(\.tmp)?"
_CHUNK = 256
"""Items encoded at once."""

_FIRST_SCALE = math.log(1 / 0.07)
_HIGHEST = math.log(MAX_SCALE)
_WEIGHT_DECAY = 0.01

Report = Callable[[int, int, float], None]
"""Called with the epochs done, of all, and the best validation score so far."""

Labels = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Studies that have images and text, as an encoder sees them; rows of one study share a number.

    `films` (n, dim) are the means of each study's views, `reports` (n, dim) its text's vectors; `views`
    (v, dim) are single views and `study_of` (v,) says whose. `present` (n, findings): what its report
    states. `clusters` and `keys` (n,): its patient or group, and its text's key.
    """

    pairs: tuple[Pair, ...]
    films: Vectors
    reports: Vectors
    views: Vectors
    study_of: NDArray[np.int64]
    present: Labels
    clusters: NDArray[np.str_]
    keys: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.films)

    def only(self, rows: NDArray[np.int64]) -> Encoded:
        """Some of the studies, with their views."""
        place = np.full(len(self), -1, np.int64)
        place[rows] = np.arange(len(rows))
        kept = place[self.study_of] >= 0
        return Encoded(
            pairs=tuple(self.pairs[row] for row in rows), films=self.films[rows], reports=self.reports[rows],
            views=self.views[kept], study_of=place[self.study_of[kept]], present=self.present[rows],
            clusters=self.clusters[rows], keys=self.keys[rows],
        )  # fmt: skip

    def gallery(self, source: str) -> tuple[Vectors, NDArray[np.str_]]:
        """Whom others may look at, and whose each is: single views, as an index holds them, or reports."""
        if source == "report":
            return self.reports, self.clusters
        return self.views, self.clusters[self.study_of]


def encode_training(corpus: Corpus, encoder: Encoder) -> Encoded:
    """The training part's studies that have images and text; too few, or other previews, is an error."""
    corpus.check_previews(encoder.preview)
    pairs = pairs_of(corpus, "train")
    study_of = np.array([row for row, pair in enumerate(pairs) for _ in pair.view_ids], np.int64)
    view_ids = [view_id for pair in pairs for view_id in pair.view_ids]
    views = _in_chunks(view_ids, lambda ids: encoder.encode_images(corpus.previews(ids)))
    sums = np.zeros((len(pairs), views.shape[1]), np.float32)
    np.add.at(sums, study_of, views)
    said = [summarise(corpus.by_id[pair.study_id].claims) for pair in pairs]
    return Encoded(
        pairs=pairs,
        films=sums / np.linalg.norm(sums, axis=1, keepdims=True).clip(min=1e-12),
        reports=_in_chunks([pair.report for pair in pairs], encoder.encode_texts),
        views=views,
        study_of=study_of,
        present=np.array([[one.get(name) == "present" for name in FINDINGS] for one in said], np.bool_),
        clusters=np.array([pair.cluster for pair in pairs]),
        keys=np.array([text_key(pair.report) for pair in pairs]),
    )


def train_neighbours(
    corpus: Corpus,
    recipe: Recipe,
    folder: Path,
    *,
    encoder: Encoder,
    encoded: Encoded | None = None,
    on_progress: Report | None = None,
) -> Json:
    """Teach a recipe's head on an encoder's vectors of the training part; returns the folder's manifest.

    The best epoch is that of the highest mean of label average precision and report MRR among those
    `hold_back` holds back, whose neighbours are of the studies learnt from. A finished head of the same
    settings, encoder and corpus is returned as it is; one of others is refused. `encoded` is what
    `encode_training` gives, where somebody has it already.
    """
    looks, origin = looks_of(recipe), _origin(corpus, recipe, encoder)
    with writing(folder):
        if (folder / MANIFEST).exists():
            return _finished(folder, origin)
        check_new(folder, but=_OURS)
        clear_leftovers(folder)
        everyone = encode_training(corpus, encoder) if encoded is None else encoded
        run = _Run(everyone, recipe, looks)
        with torch.random.fork_rng(devices=[]):
            results = run.run(on_progress)
        facts = {
            "encoder": encoder.fingerprint,
            "domain": corpus.settings.domain,
            "recipe": recipe.name,
            "origin": origin,
            "trained_on": {"corpus": corpus.fingerprint, "title": corpus.title},
            "counts": run.counts(),
            "results": results,
        }
        save_neighbours(folder, run.head, looks=looks, facts=facts)
    return read_manifest(folder, MANIFEST, kind="neighbours", version=VERSION)


def looks_of(recipe: Recipe) -> Looks:
    """Whom the head of a recipe looks at; a recipe without one is refused."""
    if recipe.neighbours is None:
        raise XemplarError(
            f"recipe {recipe.name} has no head that looks at neighbours", wanted="a table [neighbours]"
        )
    own = recipe.neighbours
    return Looks(sources=own.sources, pick=own.pick, count=recipe.assembly.neighbours)


def _origin(corpus: Corpus, recipe: Recipe, encoder: Encoder) -> str:
    settings = None if recipe.neighbours is None else recipe.neighbours.model_dump(mode="json")
    ours = [settings, recipe.assembly.neighbours, recipe.training.seed]
    return fingerprint([*ours, encoder.fingerprint, corpus.fingerprint])


def _finished(folder: Path, origin: str) -> Json:
    what = "head of other settings, another encoder or another corpus"
    return read_finished(folder, "neighbours", version=VERSION, origin=origin, what=what)


class _Run:
    """One head in training: who learns, who is held back, and the head as it was best."""

    def __init__(self, everyone: Encoded, recipe: Recipe, looks: Looks) -> None:
        assert recipe.neighbours is not None
        self.settings, self.seed, self.looks = recipe.neighbours, recipe.training.seed, looks
        learnt, held = _parted(everyone, self.seed)
        self.learnt, self.held = everyone.only(learnt), everyone.only(held)
        if len(learnt) < 2:
            raise XemplarError(
                "one study is left to learn from", wanted="at least 2, to tell apart",
                remedy="ingest more patients",
            )  # fmt: skip
        config = NeighbourConfig(
            dim=everyone.films.shape[1], findings=FINDINGS, sources=looks.sources or ("image",),
            heads=self.settings.heads, dropout=self.settings.dropout,
        )  # fmt: skip
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.head = NeighbourHead(config)
        self.log_scale = nn.Parameter(torch.tensor(_FIRST_SCALE))
        # Nearest ones stay the nearest; random ones are drawn anew for each epoch.
        self._tables = self._whom(self.learnt, 0)
        self._seen = self._whom(self.held, 0)

    def run(self, on_progress: Report | None) -> Json:
        """Train through all epochs and leave the head as it was best."""
        torch.manual_seed(self.seed)  # dropout's draws, within the caller's fork
        learning = self.settings.learning_rate
        optimizer = torch.optim.AdamW(
            [*self.head.parameters(), self.log_scale], lr=learning, weight_decay=_WEIGHT_DECAY
        )
        best: Json = {"score": -1.0}
        kept = self._state()
        for epoch in range(self.settings.epochs):
            for group in optimizer.param_groups:
                group["lr"] = learning * 0.5 * (1 + math.cos(math.pi * epoch / self.settings.epochs))
            self._learn(epoch, optimizer)
            scores = self.validate()
            if scores["score"] is None or scores["score"] > best["score"]:
                best, kept = {"epoch": epoch + 1, **scores}, self._state()
            if on_progress is not None:
                on_progress(epoch + 1, self.settings.epochs, best["score"] or 0.0)
        self.head.load_state_dict(kept)
        return best

    def counts(self) -> Json:
        """Studies learnt from and held back, and of how many of the first each finding is stated."""
        present = self.learnt.present.sum(0).tolist()
        found = {name: int(count) for name, count in zip(FINDINGS, present, strict=True)}
        return {"learnt": len(self.learnt), "held_back": len(self.held), "present": found}

    def validate(self) -> Json:
        """Mean average precision over findings, MRR of the own report, and their mean, of the held back.

        None where nobody is held back; without any finding the MRR alone is the score.
        """
        if not len(self.held):
            return {"score": None, "label_ap": None, "mrr": None}
        self.head.eval()
        with torch.inference_mode():
            vectors, logits = self.head(*self._shown(self.held, self._seen, np.arange(len(self.held))))
        right = self.held.keys[:, None] == self.held.keys[None, :]
        ranks = right_ranks(vectors.numpy() @ self.held.reports.T, right)
        mrr = float((1.0 / ranks).mean())
        found = float(mean_of_defined(average_precision(self.held.present, logits.numpy())))
        if math.isnan(found):
            return {"score": mrr, "label_ap": None, "mrr": mrr}
        return {"score": (mrr + found) / 2, "label_ap": found, "mrr": mrr}

    def _learn(self, epoch: int, optimizer: torch.optim.Optimizer) -> None:
        if self.looks.pick == "random":
            self._tables = self._whom(self.learnt, epoch)
        self.head.train()
        for rows in self._batches(epoch):
            vectors, logits = self.head(*self._shown(self.learnt, self._tables, rows))
            loss = self._loss(vectors, logits, rows)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.head.parameters(), 1.0)
            optimizer.step()
            clamp_scale(self.log_scale, low=0.0, high=_HIGHEST)

    def _batches(self, epoch: int) -> Iterator[NDArray[np.int64]]:
        """Rows to learn from; a short last batch joins the one before."""
        order = np.random.default_rng([self.seed, 21, epoch]).permutation(len(self.learnt))
        yield from np.array_split(order, max(1, len(order) // self.settings.batch))

    def _loss(self, vectors: Tensor, logits: Tensor, rows: NDArray[np.int64]) -> Tensor:
        """What the own report states, read off h'; and h' nearest to its own report's vector."""
        keys = self.learnt.keys[rows]
        first = np.unique(keys, return_index=True)[1]
        texts = torch.from_numpy(self.learnt.reports[rows[first]])
        right = torch.from_numpy(keys[:, None] == keys[first][None, :])
        loss = info_nce(vectors, texts, right, scale=self.log_scale.exp())
        if self.learnt.present.any():
            stated = torch.from_numpy(self.learnt.present[rows]).float()
            loss = loss + functional.binary_cross_entropy_with_logits(logits, stated)
        return loss

    def _whom(self, studies: Encoded, epoch: int) -> list[NDArray[np.int64]]:
        """Of each source a table of the learnt gallery's rows: (n, count)."""
        tables = []
        for number, source in enumerate(self.looks.sources):
            gallery, others = self.learnt.gallery(source)
            if self.looks.pick == "nearest":
                table = neighbour_table(
                    studies.films, gallery, self.looks.count, own=studies.clusters, others=others
                )
            else:
                rng = np.random.default_rng([self.seed, 22, number, epoch])
                table = random_table(studies.clusters, others, self.looks.count, rng=rng)
            tables.append(table)
        return tables

    def _shown(
        self, studies: Encoded, tables: Sequence[NDArray[np.int64]], rows: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, neighbours and mask of some studies."""
        queries = studies.films[rows]
        seen = [np.zeros((len(rows), 0, queries.shape[1]), np.float32)]
        masks = [np.zeros((len(rows), 0), np.bool_)]
        for source, table in zip(self.looks.sources, tables, strict=True):
            vectors, mask = gathered(table[rows], self.learnt.gallery(source)[0])
            seen.append(vectors)
            masks.append(mask)
        parts = (queries, np.concatenate(seen, axis=1), np.concatenate(masks, axis=1))
        return tuple(torch.from_numpy(part) for part in parts)  # type: ignore[return-value]

    def _state(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.head.state_dict().items()}


def random_table(
    own: NDArray[np.str_], others: NDArray[np.str_], count: int, *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """For each query `count` gallery rows of other patients, any of them alike: the control, (n, count).

    -1 where there are too few.
    """
    table = np.full((len(own), count), NOBODY, np.int64)
    sizes = Counter(others.tolist())
    for place, cluster in enumerate(own.tolist()):
        drawn = rng.choice(len(others), min(len(others), count + sizes[cluster]), replace=False)
        kept = drawn[others[drawn] != cluster][:count]
        table[place, : len(kept)] = kept
    return table


def _parted(everyone: Encoded, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to learn from, and of those whom the encoder's own training held back with the same seed."""
    learnt = {pair.study_id for pair in hold_back(everyone.pairs, seed)[0]}
    mine = np.array([pair.study_id in learnt for pair in everyone.pairs])
    return np.flatnonzero(mine), np.flatnonzero(~mine)


def _in_chunks(values: Sequence[str], encode: Callable[[Sequence[str]], Vectors]) -> Vectors:
    parts = [encode(values[start : start + _CHUNK]) for start in range(0, len(values), _CHUNK)]
    return np.concatenate(parts)
