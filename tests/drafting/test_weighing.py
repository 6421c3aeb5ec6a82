"""Evidence weighed for all findings at once: by scipy, and on made-up findings whose answer is known."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from xemplar.drafting.weighing import OWN, STRENGTH, Weights, weigh

FREE = 10.0


def drawn(studies: int, shares: tuple[float, ...], *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Of each finding two features, of which the first tells and the second doesn't."""
    rng = np.random.default_rng(seed)
    present = rng.random((studies, len(shares))) < np.array(shares)
    noise = rng.standard_normal((studies, len(shares), 2))
    return noise + present[:, :, None] * np.array([2.0, 0.0]), present


def logits(fit: Weights, features: np.ndarray) -> np.ndarray:
    return np.asarray(((features - fit.mean) / fit.scale * fit.weights).sum(axis=2) + fit.intercepts)


def test_the_weights_have_the_least_penalised_loss() -> None:
    """As scipy finds it over shared weights, own differences and intercepts."""
    features, present = drawn(60, (0.3, 0.5))
    fit = weigh(features, present)
    scaled = (features - fit.mean) / fit.scale

    def lost(x: np.ndarray) -> float:
        weights = x[:2] + OWN * x[2:6].reshape(2, 2)
        found = (scaled * weights).sum(axis=2) + FREE * x[6:]
        return float(STRENGTH * np.logaddexp(0, np.where(present, -found, found)).sum() + (x**2).sum() / 2)

    best = minimize(lost, np.zeros(8), tol=1e-10).x
    np.testing.assert_allclose(fit.weights, best[:2] + OWN * best[2:6].reshape(2, 2), atol=2e-3)
    np.testing.assert_allclose(fit.intercepts, FREE * best[6:], atol=2e-3)


def test_on_average_it_says_how_often_a_finding_is_there() -> None:
    """Each finding at its own share."""
    features, present = drawn(2000, (0.05, 0.5))
    given = 1 / (1 + np.exp(-logits(weigh(features, present), features)))
    np.testing.assert_allclose(given.mean(axis=0), present.mean(axis=0), atol=0.01)


def test_a_rare_finding_learns_from_the_others_what_tells() -> None:
    """Ten studies have it; which feature tells is known from the rest."""
    features, present = drawn(100, (0.5, 0.5, 0.5, 0.1))
    weights = weigh(features, present).weights
    assert weights[3, 0] > 4 * abs(weights[3, 1])


def test_evidence_that_never_changes_has_no_say() -> None:
    """Nor does it make anything infinite."""
    features, present = drawn(60, (0.3, 0.5))
    still = np.concatenate([features, np.full((60, 2, 1), 7.0)], axis=2)
    fit = weigh(still, present)
    assert np.isfinite(fit.weights).all()
    np.testing.assert_array_equal(fit.weights[:, 2], 0.0)
