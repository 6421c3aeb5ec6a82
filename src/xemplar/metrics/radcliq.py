"""RadCliQ v0 and v1: four scores of a report, weighted as radiologists' error counts weigh them.

Knows the two linear maps and who has to have made each column; knows nothing of how a column is made.
The raw score is given: errors expected, so lower is better, and a good report's may be negative. Boards
that print 1 / RadCliQ divide by something that passes through 0. Yu et al., Evaluating progress in
automatic chest X-ray radiology report generation, Patterns, 2023; coefficients as released in
rajpurkarlab/CXR-Report-Metric (MIT), composite_metric_model.pkl and normalizer.pkl (v0),
radcliq-v1.pkl (v1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import MismatchError, XemplarError

Version = Literal["v0", "v1"]

COLUMNS: tuple[str, ...] = ("radgraph_combined", "bertscore", "semb_score", "bleu_score")

MAKERS: Mapping[str, str] = MappingProxyType(
    {
        "radgraph_combined": "radgraph-v1",
        "bertscore": "bertscore-distilroberta-base-layer5-rescaled-noidf",
        "semb_score": "chexbert-cls-cosine",
        "bleu_score": "bleu2_rexrank",
    }
)
"""Who has to have made each column for the score to bear its name."""

_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "radgraph_combined": (0.0, 1.0),
        "bertscore": (-np.inf, 1.0),
        "semb_score": (-1.0, 1.0),
        "bleu_score": (0.0, 1.0),
    }
)
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class _Linear:
    """intercept + sum of coefficient times (column - mean) / scale."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    coefficient: tuple[float, ...]
    intercept: float


_MAPS: Mapping[Version, _Linear] = MappingProxyType(
    {
        "v0": _Linear(
            mean=(0.5398376019082272, 0.6312549595000001, 0.7716797866672277, 0.4607372064809605),
            scale=(0.3018344440559102, 0.22466950746141123, 0.24750333805236252, 0.30336670936092264),
            coefficient=(-0.4796252644863446, -0.6762170542369337, -0.46366575161751994, 0.2165861905287535),
            intercept=1.641666666666666,
        ),
        "v1": _Linear(
            mean=(0.5379231241355762, 0.6175725628125001, 0.7647942121140658, 0.44738335396242174),
            scale=(0.3028258411486429, 0.22430938459304575, 0.2539439110169773, 0.2989271671041838),
            coefficient=(
                -0.377083682610389,
                -0.3703000997448032,
                -0.25261621789593225,
                4.315048405024756e-12,
            ),
            intercept=2.466552561323256e-10,
        ),
    }
)
"""In the order of COLUMNS. A higher BLEU really is a worse report to v0, and nothing to v1."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One score of every report and who made it: a name of MAKERS, or a substitute's own."""

    values: NDArray[np.float64]
    maker: str


@dataclass(frozen=True, slots=True, eq=False)
class RadCliQ:
    """The score of every report, lower better; NaN where a column is, and how many are.

    `name` ends in "_proxy" where a column's maker is a substitute; `substitutes` says which and whose.
    """

    name: str
    values: NDArray[np.float64]
    undefined: int
    substitutes: Mapping[str, str]


def radcliq(columns: Mapping[str, Column], *, version: Version = "v1", proxy: bool = False) -> RadCliQ:
    """RadCliQ of every report from its four columns, each (reports,).

    Radgraph_combined, semb_score and bleu_score are fractions, bertscore is rescaled. A column that
    another program or model made is refused, unless `proxy`: then the result is named a proxy and is
    comparable with nothing but itself. A missing or further column, unequal lengths, an infinite
    number or one out of range (per cent, say) raises XemplarError.
    """
    if version not in _MAPS:
        raise XemplarError(f"RadCliQ {version!r}", wanted="v0 or v1")
    if set(columns) != set(COLUMNS):
        raise MismatchError(f"columns {', '.join(sorted(columns))}", wanted=", ".join(COLUMNS))
    substitutes = {name: columns[name].maker for name in COLUMNS if columns[name].maker != MAKERS[name]}
    if substitutes and not proxy:
        name, maker = next(iter(substitutes.items()))
        raise MismatchError(
            f"{name} made by {maker}",
            wanted=MAKERS[name],
            remedy="with proxy=True the result is named a proxy of RadCliQ",
        )
    values = np.full(_length(columns), _MAPS[version].intercept)
    for name, mean, scale, coefficient in zip(
        COLUMNS, _MAPS[version].mean, _MAPS[version].scale, _MAPS[version].coefficient, strict=True
    ):
        values += coefficient * (_checked(columns[name].values, name) - mean) / scale
    ending = "_proxy" if substitutes else ""
    return RadCliQ(f"radcliq_{version}{ending}", values, int(np.count_nonzero(np.isnan(values))), substitutes)


def leaderboard_inverse(mean: float) -> float:
    """The "1/RadCliQ" that boards print: one over the mean, higher better. NaN at 0 or below.

    There the mean has passed the pole, and one over it would call the best reports the worst.
    """
    return 1 / mean if mean > 0 else float("nan")


def _length(columns: Mapping[str, Column]) -> int:
    shapes = {np.shape(columns[name].values) for name in COLUMNS}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise MismatchError(
            f"columns of shapes {', '.join(map(str, sorted(shapes)))}", wanted="one number for each report"
        )
    return int(next(iter(shapes))[0])


def _checked(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    numbers = np.asarray(values, dtype=np.float64)
    low, high = _RANGES[name]
    wrong = np.isinf(numbers) | (numbers < low - _ROUNDING) | (numbers > high + _ROUNDING)
    if wrong.any():
        raise XemplarError(
            f"{numbers[wrong][0]:g}",
            wanted=f"a number in {low:g}..{high:g}",
            where=f"{name}, report {int(np.argmax(wrong))}",
        )
    return numbers
