"""What the promise of the shipped weights came to on searches that nothing was fitted on, and where.

Knows the figures that stand beside the weights (`worth.toml`); those of docs/results/clinical_search.json.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Measured:
    """Of what reached the cut-off, the share that was right, over all pairs of a search and a report.

    From `low` to `high` with 95 %, over searches and reports; `mean` is that of the searches' own shares.
    """

    precision: float
    low: float
    high: float
    mean: float
    searches: int
    pairs: int
    domain: str
    where: str

    def __str__(self) -> str:
        return (
            f"of {self.pairs} such {self.precision:.0%} were right [{self.low:.0%}, {self.high:.0%}] "
            f"({self.mean:.0%} in the mean of {self.searches} searches), on {self.where}; "
            "no promise elsewhere"
        )


@cache
def measured() -> Measured | None:
    """The figures of the weights that come with the package; None where these were not measured yet."""
    table = tomllib.loads(files(__package__).joinpath("worth.toml").read_text("utf-8")).get("measured")
    return None if table is None else Measured(**table)
