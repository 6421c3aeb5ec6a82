"""How well a model in training finds reports for images, among the patients held back.

Knows vectors and texts; ties earn nothing, equal reports are equally right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from xemplar.metrics.ranking import right_ranks
from xemplar.records import Image, Vectors
from xemplar.report import text_key
from xemplar.training.learners.learner import Ground
from xemplar.training.ranks import share


def ranked(
    ground: Ground,
    encode_images: Callable[[Sequence[Image]], Vectors],
    encode_texts: Callable[[Sequence[str]], Vectors],
) -> dict[str, float]:
    """MRR and success@k of image -> report, each process encoding its share."""
    held, ranks = ground.validation, ground.ranks
    counts = [share(len(held), one, ranks.count) for one in range(ranks.count)]
    mine = held[counts[ranks.number]]
    previews = ground.corpus.previews([pair.view_ids[0] for pair in mine])
    images = _gathered(ground, encode_images(previews), counts)
    texts = _gathered(ground, encode_texts([pair.report for pair in mine]), counts)
    keys = np.array([text_key(pair.report) for pair in held])
    places = right_ranks(images @ texts.T, keys[:, None] == keys[None, :])
    hits = {f"val_success_at_{k}": float((places <= k).mean()) for k in (1, 5, 10)}
    return {"val_mrr": float((1.0 / places).mean()), **hits}


def _gathered(ground: Ground, vectors: Vectors, runs: list[slice]) -> Vectors:
    rows = torch.from_numpy(vectors).to(ground.ranks.device)
    return ground.ranks.gather(rows, [run.stop - run.start for run in runs]).cpu().numpy()
