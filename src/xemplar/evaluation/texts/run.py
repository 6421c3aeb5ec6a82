"""One run of texts, or two, scored beside their floors: the summary that a page is made of.

Knows pairs, measures, intervals and the labeler that reads the texts; knows no archive and no page.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from xemplar import __version__
from xemplar.contracts import Json
from xemplar.errors import MismatchError, XemplarError
from xemplar.evaluation.printed import defined
from xemplar.evaluation.texts.anchors import anchors_of
from xemplar.evaluation.texts.floors import NORMAL, Pool, floor_texts
from xemplar.evaluation.texts.measures import QUESTIONS, Family, label_families, wording_families
from xemplar.evaluation.texts.pairs import Pairs
from xemplar.evaluation.texts.reading import Reader
from xemplar.findings import Profile, lexicon_version
from xemplar.metrics.labels import NOT_MENTIONED, PRESENT, UNCERTAIN, LabelTable
from xemplar.metrics.statistics import Resampler, SumStatistic, holm
from xemplar.metrics.tokenisers import DEFAULT, TokeniserName
from xemplar.records import Domain, TextKind

Report = Callable[[str], None]
"""Told the name of each stage as it begins."""

SECTIONS = ("findings", "impression", "both", "caption", "not said")

Scored = dict[str, list[Family]]
"""Families of each system, ours first."""

HEADLINES = (
    f"f1_present_micro_14{QUESTIONS[0].suffix}",
    f"f1_present_macro_14{QUESTIONS[0].suffix}",
    f"f1_present_micro_5{QUESTIONS[0].suffix}",
    f"f1_present_macro_5{QUESTIONS[0].suffix}",
)
"""Of labels; of wording every score is one. Comparisons are adjusted for the number of these."""


@dataclass(frozen=True, slots=True)
class TextSettings:
    """How texts are scored; all of it stands in the summary."""

    texts: TextKind = "reports"
    """Captions have no labels."""
    section: str = "not said"
    """What of a report the references are: one of SECTIONS."""
    tokeniser: TokeniserName = DEFAULT
    profile: Profile = "default"
    replicates: int = 1000
    seed: int = 0
    floors: bool = True
    domain: Domain | None = None
    """What the studies are, where that is known; a page says what follows from it."""


@dataclass(frozen=True, slots=True, eq=False)
class TextScores:
    """The summary, JSON as it stands; the pairs; what each study got; the labels of both sides.

    `read` (n,) says which studies have labels: those whose reference is English.
    """

    summary: Json
    pairs: Pairs
    per_study: dict[str, NDArray[np.generic]]
    labels: tuple[LabelTable, LabelTable] | None
    read: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class TextComparison:
    """The summary, JSON as it stands; both systems' pairs; what each study got from either.

    `read` (n,) as in TextScores.
    """

    summary: Json
    pairs: tuple[Pairs, Pairs]
    per_study: tuple[dict[str, NDArray[np.generic]], dict[str, NDArray[np.generic]]]
    read: NDArray[np.bool_]


def score_texts(
    pairs: Pairs,
    settings: TextSettings | None = None,
    *,
    system: str = "predictions",
    pool: Pool | None = None,
    on_stage: Report | None = None,
) -> TextScores:
    """Score predictions against references, with intervals by patient, beside floors on the same studies.

    `pool` is what the floors draw from (default: the references of other patients). Labels are read from
    English alone; other references have wording scores and are counted. Fewer than two patients raise
    XemplarError.
    """
    settings, told = settings or TextSettings(), on_stage or (lambda stage: None)
    run = _Run(pairs, settings)
    if settings.floors:
        told("floors")
    floors = run.floors(pool) if settings.floors else {}
    told("scores")
    families = {name: run.families(texts) for name, texts in {"ours": pairs.predictions, **floors}.items()}
    told("intervals")
    summary = {
        **_heading(pairs, settings, system),
        "labels_read": int(run.read.sum()),
        "labels_left_out": int((~run.read).sum()),
        "predictions": run.told(pairs.predictions),
        "floors": {name: run.told(texts) for name, texts in floors.items()},
        **run.tables(families),
    }
    measures = [row["measure"] for row in summary["wording"]]
    summary["anchors"] = anchors_of(pairs, section=settings.section, measures=measures)
    labels = None if run.truth is None else (run.labels(pairs.predictions), run.truth)
    return TextScores(defined(summary), pairs, run.columns(families["ours"]), labels, run.read)


def compare_texts(
    first: Pairs,
    second: Pairs,
    settings: TextSettings | None = None,
    *,
    systems: tuple[str, str],
    left_out: int = 0,
) -> TextComparison:
    """Two systems on the same studies: both scores, the paired difference (first less second), p-values.

    Patients are resampled, and their results change sides, whole. `p_holm` adjusts `p_randomised` for the
    number of scores of wording, and for that of HEADLINES among labels, and is null for the others.
    `left_out` is told: how many studies only one of them has. Raises MismatchError where ids or references
    differ.
    """
    settings = settings or TextSettings()
    if first.ids != second.ids or first.references != second.references:
        raise MismatchError(
            f"{len(first)} and {len(second)} studies, which are not the same ones in the same order",
            wanted="two systems over the same ids and references",
        )
    run = _Run(first, settings)
    ones, others = run.families(first.predictions), run.families(second.predictions)
    rows = [row for one, other in zip(ones, others, strict=True) for row in run.compared(one, other)]
    # NaN, where a score is undefined, is no hypothesis.
    adjusted: dict[str, float] = {}
    for family in ("wording", "labels"):
        heads = {str(row["measure"]): float(row["p_randomised"]) for row in rows if _is_head(row, family)}
        adjusted |= holm({name: p for name, p in heads.items() if p == p})
    rows = [{**row, "p_holm": adjusted.get(str(row["measure"]))} for row in rows]
    both = [run.told(pairs.predictions) for pairs in (first, second)]
    heading = _heading(first, settings, " against ".join(systems))
    told = {"systems": list(systems), "predicted": both, "rows": rows, "left_out": left_out}
    per_study = run.columns(ones), run.columns(others)
    return TextComparison(defined({**heading, **told}), (first, second), per_study, run.read)


def _is_head(row: Json, family: str) -> bool:
    return row["group"] == family and (family == "wording" or row["measure"] in HEADLINES)


class _Run:
    """The references, read once, and how intervals over them are made."""

    def __init__(self, pairs: Pairs, settings: TextSettings) -> None:
        if len(set(pairs.clusters)) < 2:
            studies = "1 study" if len(pairs) == 1 else f"{len(pairs)} studies"
            raise XemplarError(
                f"{studies} of a single patient", wanted="two patients at least, to resample them"
            )
        self.pairs, self.settings, self._reader = pairs, settings, Reader(settings.profile)
        self.read = self._reader.english(pairs.references) & (settings.texts == "reports")
        self.truth = self.labels(pairs.references) if self.read.any() else None
        self._resamplers: dict[int, Resampler] = {}

    def labels(self, texts: Sequence[str]) -> LabelTable:
        """What the texts of the studies that are read say of the 14 observations."""
        return self._reader.table([text for text, read in zip(texts, self.read, strict=True) if read])

    def told(self, texts: Sequence[str]) -> Json:
        """How many of a system's texts differ, are empty, are not English."""
        foreign = len(texts) - int(self._reader.english(texts).sum()) if self.truth is not None else 0
        return {"distinct": len(set(texts)), "empty": sum(not text for text in texts), "not English": foreign}

    def own_pool(self) -> Pool:
        """The references; normal are those of No Finding that deny something."""
        normal = np.zeros(len(self.pairs), np.bool_)
        if self.truth is not None:
            codes = self.truth.codes
            normal[self.read] = (self.truth.of(["No Finding"]).codes[:, 0] == PRESENT) & (codes == 0).any(
                axis=1
            )
        return Pool(self.pairs.references, self.pairs.clusters, normal)

    def floors(self, pool: Pool | None) -> dict[str, tuple[str, ...]]:
        """What the floors say of every study; captions have no constant one."""
        return floor_texts(
            self.pairs.references,
            self.pairs.clusters,
            pool or self.own_pool(),
            seed=self.settings.seed,
            constant=NORMAL if self.settings.texts == "reports" else None,
        )

    def families(self, texts: tuple[str, ...]) -> list[Family]:
        """All that is measured of a system's texts."""
        found = list(wording_families(texts, self.pairs.references, self.settings.tokeniser))
        if self.truth is not None:
            found += label_families(self.labels(texts), self.truth)
        return found

    def resampler(self, family: Family) -> Resampler:
        """Draws for as many studies as the family is over: all, or those that are read."""
        size = len(family.sums)
        if size not in self._resamplers:
            clusters = self.pairs.clusters if size == len(self.pairs) else self.pairs.clusters[self.read]
            self._resamplers[size] = Resampler(
                clusters, seed=self.settings.seed, replicates=self.settings.replicates
            )
        return self._resamplers[size]

    def tables(self, families: Scored) -> Json:
        """Rows by group; floors and differences for wording and for what is said to be present."""
        groups: dict[str, list[Json]] = {"wording": [], "labels": [], "by finding": []}
        others = {name: found for name, found in families.items() if name != "ours"}
        for place, mine in enumerate(families["ours"]):
            resampler = self.resampler(mine)
            found = resampler.intervals(mine.statistics, mine.sums)
            shown = {key: one for key, one in mine.statistics.items() if _has_floors(mine, key)}
            beside = {name: rows[place] for name, rows in others.items() if shown}
            floors = {n: resampler.intervals(shown, one.sums) for n, one in beside.items()}
            less = {key: _less(one) for key, one in shown.items()}
            against = {
                name: resampler.intervals(less, np.stack([mine.sums, one.sums], axis=1))
                for name, one in beside.items()
            }
            for key, interval in found.items():
                kept = {name: rows for name, rows in floors.items() if key in rows}
                groups[mine.name].append(
                    {
                        "measure": key,
                        "ours": asdict(interval),
                        "left_out": mine.left_out.get(key, 0),
                        "chance": None,
                        "floors": {name: asdict(rows[key]) for name, rows in kept.items()},
                        "differences": {name: asdict(against[name][key]) for name in kept},
                    }
                )
        return {**groups, "support": self._support()}

    def compared(self, one: Family, other: Family) -> list[Json]:
        """Both systems' scores of a family, with the paired difference and its p-values."""
        resampler = self.resampler(one)
        ours = resampler.intervals(one.statistics, one.sums)
        theirs = resampler.intervals(other.statistics, other.sums)
        found = resampler.comparisons(one.statistics, one.sums, other.sums)
        return [
            {
                "measure": key,
                "group": one.name,
                "first": asdict(ours[key]),
                "second": asdict(theirs[key]),
                "difference": asdict(comparison.difference),
                "p_bootstrap": comparison.p_bootstrap,
                "p_randomised": comparison.p_randomised,
            }
            for key, comparison in found.items()
        ]

    def _support(self) -> Json:
        if self.truth is None:
            return {}
        codes = self.truth.codes
        return {
            name: {"present": int((column == PRESENT).sum()), "uncertain": int((column == UNCERTAIN).sum()),
                   "absent": int((column == 0).sum()), "not mentioned": int((column == NOT_MENTIONED).sum())}
            for name, column in zip(self.truth.findings, codes.T, strict=True)
        }  # fmt: skip

    def columns(self, families: Sequence[Family]) -> dict[str, NDArray[np.generic]]:
        """Ids, whose studies they are, and what each study got; NaN where it has no such score."""
        found: dict[str, NDArray[np.generic]] = {
            "id": np.array(self.pairs.ids), "cluster": self.pairs.clusters,
        }  # fmt: skip
        for family in families:
            for key, values in family.per_study.items():
                column = np.full(len(self.pairs), np.nan)
                column[... if len(values) == len(self.pairs) else self.read] = values
                found[key] = column
        return found


def _has_floors(family: Family, key: str) -> bool:
    return family.name == "wording" or key.startswith("f1_present_")


def _less(statistic: SumStatistic) -> SumStatistic:
    """Ours less theirs, of sums that hold both: (..., 2, ...) with the systems second."""
    return lambda sums: statistic(sums[:, 0]) - statistic(sums[:, 1])


def _heading(pairs: Pairs, settings: TextSettings, system: str) -> Json:
    keys = Counter(pairs.reference_keys)
    return {
        "kind": "texts",
        "system": system,
        "studies": len(pairs),
        "resampling": {
            "of": "patients" if pairs.by_patient else "studies (patients unknown)",
            "clusters": len(set(pairs.clusters)),
            "replicates": settings.replicates,
            "seed": settings.seed,
            "level": 0.95,
        },
        "settings": asdict(settings),
        "lexicon": lexicon_version(settings.profile)[:16],
        "counted": dict(pairs.counted),
        "references": {
            "distinct": len(keys),
            "with an equal one elsewhere": sum(count for count in keys.values() if count > 1),
        },
        "equal to their reference": sum(
            one == other for one, other in zip(pairs.predictions, pairs.references, strict=True)
        ),
        "fingerprint": pairs.fingerprint,
        "versions": {"xemplar": __version__, "python": platform.python_version(), "numpy": np.__version__},
    }
