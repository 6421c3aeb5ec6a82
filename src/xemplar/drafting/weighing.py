"""How much each piece of evidence counts: one regression for all findings, of which each has its own part.

Knows numbers and truths; knows nothing of what they are of. Weights that all findings share, what a
finding's own differ by (drawn to 0 the harder), and an intercept a finding. Each finding's evidence is
taken less its own mean, so that a rare one, which near studies seldom state, is believed from as little more
than usual as a common one. A few dozen studies with a finding can't tell which evidence is good; all
findings together can.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

STRENGTH = 0.1
"""scikit-learn's C, the inverse of the penalty's weight."""

OWN = 0.3
"""How freely a finding's weights may differ from those that all share."""

_FREE = 10.0
"""An intercept's input: large, so that the penalty hardly holds it."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Logit of a finding: weights @ ((features - mean) / scale) + intercept, all of that finding."""

    mean: Array
    """(findings, features)"""
    scale: Array
    """(features,)"""
    weights: Array
    """(findings, features)"""
    intercepts: Array
    """(findings,)"""


def weigh(features: NDArray[np.floating], present: NDArray[np.bool_]) -> Weights:
    """Fit (studies, findings, features) to (studies, findings): each finding both there and not there."""
    values = np.asarray(features, np.float64)
    mean = values.mean(axis=0)
    scale = np.sqrt(((values - mean) ** 2).mean(axis=(0, 1)))
    scale[scale < 1e-9] = 1.0
    values = (values - mean) / scale
    _, findings, count = values.shape
    inputs = np.zeros((*values.shape[:2], count + findings * count + findings))
    inputs[:, :, :count] = values
    for row in range(findings):
        own = count + row * count
        inputs[:, row, own : own + count] = OWN * values[:, row]
        inputs[:, row, count + findings * count + row] = _FREE
    model = LogisticRegression(C=STRENGTH, max_iter=1000, fit_intercept=False)
    model.fit(inputs.reshape(-1, inputs.shape[2]), present.ravel())
    learnt = model.coef_[0]
    apart = learnt[count : count + findings * count].reshape(findings, count)
    return Weights(mean, scale, learnt[:count] + OWN * apart, learnt[count + findings * count :] * _FREE)
