"""A study's whole report against reports that are wrong for it, as X-REM's second stage has them.

Knows reports and what they claim; knows no image and no tensor, and never what was drawn. Jeong et al.,
X-REM, 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xemplar.errors import XemplarError
from xemplar.report import text_key
from xemplar.training.objectives.judged import Against, Drawn, Rows
from xemplar.training.objectives.negatives import Negatives
from xemplar.training.sampling import Pair


class Reports:
    """The reports of some studies, equal ones once, and pairs of a study and a report.

    Each study meets its own report, that of one whose findings differ least, and that of one whose
    findings differ at all (`by` "random": two of another text). One that has no such negative is left out.
    """

    kinds: tuple[str, ...] = ("mined", "random")

    def __init__(self, pairs: Sequence[Pair], *, learnt: int, by: str) -> None:
        self.pairs, self.by = pairs, by
        known: dict[str, int] = {}
        self.texts: list[str] = []
        own = []
        for pair in pairs:
            key = text_key(pair.report)
            if key not in known:
                known[key] = len(self.texts)
                self.texts.append(pair.report)
            own.append(known[key])
        self.own: Rows = np.array(own, np.int64)
        """(studies,) the row of each study's own report."""
        self.count = len(self.texts)
        mined = Negatives(pairs[:learnt], by).draw(np.random.default_rng(0))
        self.left_out = len(mined.left_out)
        if not len(mined.rows):
            raise XemplarError(
                f"none of {learnt} studies has a report to tell its own from"
                + (", by the findings that they claim" if by == "labels" else ""),
                wanted="reports that differ",
                remedy='set matching.negatives = "random", or leave the second stage out',
            )  # fmt: skip

    def draw(self, rows: Rows, rng: np.random.Generator) -> Drawn:
        """Of each study of `rows` that has negatives its own report and two wrong ones, in any order."""
        mined = Negatives([self.pairs[row] for row in rows.tolist()], self.by).draw(rng)
        order = rng.permutation(len(mined.rows))
        at = rows[np.stack([mined.rows, mined.hard, mined.random])[:, order]]
        each = len(at)
        return Drawn(
            studies=np.repeat(at[0], each), texts=self.own[at.T].reshape(-1),
            match=np.tile(np.arange(each) == 0, len(order)), starts=np.arange(0, each * len(order), each),
        )  # fmt: skip

    def against(self, kind: str, rows: Rows, rng: np.random.Generator) -> Against:
        """For every study of `rows` its own report and a wrong one, where there is any of a kind.

        Where the findings of so few tell nobody apart, any other text is wrong.
        """
        some = [self.pairs[row] for row in rows.tolist()]
        mined = Negatives(some, self.by).draw(rng)
        if not len(mined.rows):
            mined = Negatives(some, "random").draw(rng)
        study, other = rows[mined.rows], rows[mined.hard if kind == "mined" else mined.random]
        return Against(study, self.own[study], study, self.own[other])
