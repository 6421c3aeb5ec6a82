"""From where on a film is too far, by the encoder: a limit that is set as studies are held to it."""

from types import SimpleNamespace

import numpy as np
import pytest

from xemplar.archive import gating


def limit(near):
    """What is learnt where study `n` has frontal views of cosines `near[n]` to the archive."""
    held = [(SimpleNamespace(study_id=f"{n}"), cosine) for n, views in enumerate(near) for cosine in views]
    hits = {cosine: [SimpleNamespace(score=cosine)] for _, cosine in held}
    retriever = SimpleNamespace(
        index=SimpleNamespace(items={"image": None}),
        corpus=SimpleNamespace(film=lambda study, view: view),
        vectors_of=lambda films: np.zeros((len(films), 1)),
        search=lambda film, kind, k, vector: hits[film],
    )
    return gating._far(retriever, held)


@pytest.mark.parametrize("views", [1, 3])
def test_however_many_views_a_study_has_as_many_studies_are_too_far(views):
    rng = np.random.default_rng(0)
    near = rng.uniform(0, 1, (2000, views)).tolist()
    far = limit(near)
    assert np.mean([min(study) < far for study in near]) == gating.FAR_SHARE


def test_few_studies_set_no_limit_however_many_views_they_have():
    assert limit([[0.5, 0.6, 0.7]] * (gating.HELD_BACK - 1)) is None
    assert limit([[0.5]] * gating.HELD_BACK) == 0.5
