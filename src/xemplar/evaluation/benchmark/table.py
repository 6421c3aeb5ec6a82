"""The table: every system's scores with intervals, ours less each other, and each ablation less its partner.

Knows results and measures; knows no page. Whatever wasn't won stands in it like the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xemplar import __version__
from xemplar.contracts import Json
from xemplar.errors import MismatchError
from xemplar.evaluation.benchmark import measures
from xemplar.evaluation.benchmark.ablations import ONE_VIEW
from xemplar.evaluation.benchmark.asked import Asked, Columns, said_columns
from xemplar.evaluation.benchmark.classifying import CLASS
from xemplar.evaluation.benchmark.folder import BenchmarkFolder
from xemplar.evaluation.benchmark.measures import Measure, Runs, only
from xemplar.evaluation.benchmark.plan import FLOORS, Against, Entry
from xemplar.evaluation.benchmark.predictions import predicted, refuse_taken
from xemplar.evaluation.benchmark.said import text_columns
from xemplar.evaluation.benchmark.validated import validated
from xemplar.evaluation.printed import defined
from xemplar.metrics.statistics import Interval, Resampler

HEADINGS = {
    "synthetic": "Re-implementations trained from scratch on synthetic drawings. Says nothing about the "
    "published systems' clinical performance or ours.",
    "figures": "Re-implementations trained from scratch on figures from articles. Says nothing about the "
    "published systems' clinical performance or ours.",
    "clinical": "Re-implementations trained from scratch on one archive of clinical studies. Says nothing "
    "about the published systems as their authors trained them.",
}
PLAIN_WAY = "linear probe"
"""The way to classify by which ablations of systems without one of their own are compared."""


@dataclass(eq=False)
class SetOf:
    """One set of studies and all that every system got on it."""

    asked: Asked
    resampler: Resampler
    runs: dict[str, dict[int, Columns]] = field(default_factory=dict)
    """System -> seed -> columns."""

    def of(self, system: str, seeds: Sequence[int] | None = None) -> list[Columns]:
        """A system's runs, of all its seeds or of some."""
        held = self.runs.get(system, {})
        return [held[seed] for seed in sorted(held) if seeds is None or seed in seeds]

    def shared(self, first: str, second: str) -> tuple[Runs, Runs, list[int]]:
        """Both systems' runs over the seeds that both have; where they share none, all of either's."""
        ours, theirs = self.runs.get(first, {}), self.runs.get(second, {})
        seeds = sorted(set(ours) & set(theirs))
        return self.of(first, seeds or None), self.of(second, seeds or None), seeds


def told(interval: Interval) -> Json:
    """An interval as it stands in the table; how it was drawn stands there once."""
    ends = {name: _rounded(getattr(interval, name)) for name in ("value", "low", "high")}
    return {**ends, "clusters": interval.clusters, "undefined": interval.undefined}


def _by_seed(which: tuple[Measure, Measure], ours: Runs, theirs: Runs) -> list[float]:
    """What each seed's training gives by itself; one run of the other serves all of ours."""
    others = list(theirs) if len(theirs) == len(ours) else [theirs[0]] * len(ours)
    pairs = zip(ours, others, strict=True)
    return [_rounded(which[0].at([one]) - which[1].at([other])) for one, other in pairs]


def way_of(measure: Measure) -> str | None:
    """The way to classify that a measure is of."""
    return measure.column.removeprefix(CLASS) if measure.column.startswith(CLASS) else None


def _rounded(value: float) -> float:
    """To six digits: more are of no patient."""
    return float(f"{value:.6g}")


class Table:
    """A benchmark's folder read once; its parts are computed as they are asked for."""

    def __init__(
        self, folder: BenchmarkFolder, predictions: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self.folder, self.plan, self.settings = folder, folder.plan(), folder.settings()
        refuse_taken(predictions or {}, self.plan)
        self.predictions = predictions or {}
        """Systems that nobody trained here: name -> study_id -> text."""
        self.results = {entry.name: folder.result(entry) for entry in self.plan.entries}
        self.sets = {asked.name: self._set(asked) for asked in folder.asked()}

    @cached_property
    def done(self) -> list[tuple[Entry, Json]]:
        """Entries that have a result."""
        found = [(entry, self.results[entry.name]) for entry in self.plan.entries]
        return [(entry, result) for entry, result in found if result is not None]

    def _set(self, asked: Asked) -> SetOf:
        held = SetOf(asked, self._resampler(asked.clusters))
        ids = np.array([study.study_id for study in asked.studies])
        for entry, result in self.done:
            for system, files in result["systems"].items():
                if asked.name in files:
                    columns = self.folder.columns(entry, files[asked.name])
                    if not np.array_equal(columns["study_id"], ids):
                        raise MismatchError(
                            f"{entry.name} was asked about other studies than set {asked.name} has",
                            where=str(self.folder.path), remedy="run the benchmark in a new folder",
                        )  # fmt: skip
                    held.runs.setdefault(system, {})[entry.seed] = columns
        for name, texts in self.predictions.items():
            said = [texts.get(study.study_id, "") for study in asked.studies]
            if predicted(texts, asked):
                held.runs[name] = {0: said_columns(asked) | text_columns(asked, said)}
        return held

    def _resampler(self, clusters: NDArray[np.str_]) -> Resampler:
        return Resampler(clusters, seed=self.settings.seed, replicates=self.settings.replicates)

    @cached_property
    def main(self) -> list[str]:
        """Systems of the main table: the recipes, models taken, predictions, floors."""
        others = [*self.settings.models, *self.predictions]
        floors = [name for _, result in self.done for name in result["systems"] if _.recipe == FLOORS]
        seen = dict.fromkeys([*self.plan.recipes, *others, *floors])
        return [name for name in seen if any(name in one.runs for one in self.sets.values())]

    @cached_property
    def ours(self) -> str | None:
        """Our system, where it was run."""
        return self.plan.ours if self.plan.ours in self.main else None

    # --- classification: each by its own way ---

    @cached_property
    def ways(self) -> dict[str, str]:
        """System -> its own way to classify, where it has one."""
        return {entry.system: result["own_way"] for entry, result in self.done if result.get("own_way")}

    def own_classes(self, held: SetOf, system: str) -> dict[str, Measure]:
        """Measure -> that of the way to classify by which a system is compared on this very set.

        Ours has its own or else the linear probe, whatever comes of it; every other whichever of all its
        ways is highest here, which favours the others.
        """
        runs = held.of(system)
        ways = [name.removeprefix(CLASS) for name in (runs[0] if runs else {}) if name.startswith(CLASS)]
        if system.partition(":")[0] == self.plan.ours:
            own = self.ways.get(system)
            ways = [own if own in ways else PLAIN_WAY] if ways else []
        found: dict[str, Measure] = {}
        best: dict[str, float] = {}
        for way in ways:
            for measure in measures.classes(str(way)):
                if measure.has(runs):
                    value = measure.at(runs)
                    if value > best.get(measure.name, -1.0):
                        best[measure.name], found[measure.name] = value, measure
        return found

    # --- the parts ---

    def scores(self) -> Iterator[Json]:
        """A block for each set and measure: every system's score, and ours less each other's."""
        for held in self.sets.values():
            for measure in (*measures.RETRIEVAL, *measures.DRAFTS):
                chosen = {system: measure for system in self.main if measure.has(held.of(system))}
                if chosen:
                    yield self._block(held, chosen)
            own = {system: self.own_classes(held, system) for system in self.main}
            for what in (measures.AUROC, measures.PRECISION):
                chosen = {system: found[what] for system, found in own.items() if what in found}
                if chosen:
                    yield self._block(held, chosen)

    def _block(self, held: SetOf, chosen: Mapping[str, Measure]) -> Json:
        first = next(iter(chosen.values()))
        rows = [
            {"system": system, "way": way_of(measure), **self._score(measure, held, held.of(system))}
            for system, measure in chosen.items()
        ]
        ours = self.ours if self.ours in chosen else None
        against = [
            {"system": system, **self._less(held, (chosen[ours], measure), (ours, system))}
            for system, measure in chosen.items()
            if ours is not None and system != ours
        ]
        return {
            "set": held.asked.name, "group": first.group, "measure": first.name, "rows": rows, "ours": ours,
            "differences": against,
        }  # fmt: skip

    def _score(self, measure: Measure, held: SetOf, runs: Runs) -> Json:
        each = [_rounded(measure.at([run])) for run in runs]
        return {**told(measure.interval(runs, held.resampler)), "by_seed": each}

    def _less(self, held: SetOf, which: tuple[Measure, Measure], systems: tuple[str, str]) -> Json:
        """The first system's score less the second's, each by its own measure."""
        ours, theirs, seeds = held.shared(*systems)
        less = measures.difference(which[0].of(ours), which[1].of(theirs), held.resampler)
        ways = [way_of(one) for one in which]
        return told(less) | {"seeds": seeds, "by_seed": _by_seed(which, ours, theirs), "ways": ways}

    def classes(self) -> Iterator[Json]:
        """Every way of every system to classify."""
        for name, held in self.sets.items():
            for system in self.main:
                runs = held.of(system)
                for column in runs[0] if runs else ():
                    if column.startswith(CLASS):
                        way = column.removeprefix(CLASS)
                        got = {
                            m.name: self._score(m, held, runs) for m in measures.classes(way) if m.has(runs)
                        }
                        yield {"set": name, "system": system, "way": way, "scores": got}

    def ablations(self) -> Iterator[Json]:
        """Each comparison that an ablation was made for, under every measure that both have."""
        for against in self.plan.ablations:
            for name, held in self.sets.items():
                found = list(self._ablated(against, held))
                if found:
                    yield {"set": name, **against.model_dump(), "rows": found}

    def _ablated(self, against: Against, held: SetOf) -> Iterator[Json]:
        ours, theirs, seeds = held.shared(against.first, against.second)
        resampler, runs = held.resampler, (ours, theirs)
        if against.second.endswith(ONE_VIEW):  # who has one view alone is asked alike by both
            rows = np.array([len(study.views) > 1 for study in held.asked.studies], np.bool_)
            if len(set(held.asked.clusters[rows])) < 2:
                return
            runs = only(ours, rows), only(theirs, rows)
            resampler = self._resampler(held.asked.clusters[rows])
        for measure in self._both_have(against, runs):
            first, second = (measure.interval(one, resampler) for one in runs)
            less = measures.difference(measure.of(runs[0]), measure.of(runs[1]), resampler)
            yield {
                "measure": measure.name, "group": measure.group, "way": way_of(measure), "seeds": seeds,
                "first": told(first), "second": told(second),
                "difference": told(less)
                | {"by_seed": _by_seed((measure, measure), *runs), "ways": [way_of(measure)] * 2},
            }  # fmt: skip

    def _both_have(self, against: Against, runs: tuple[Runs, Runs]) -> list[Measure]:
        ways = {self.ways.get(against.first), self.ways.get(against.second)}
        way = next(iter(ways)) if len(ways) == 1 else None
        asked = (*measures.RETRIEVAL, *measures.DRAFTS, *measures.classes(way or PLAIN_WAY))
        return [one for one in asked if all(one.has(side) for side in runs)]

    def curves(self) -> Iterator[Json]:
        """Scores by the share of training patients."""
        for recipe in self.plan.recipes:
            points = [e for e in self.plan.entries if e.system.partition(":")[0] == recipe and not e.changes]
            seeds = {entry.seed for entry in points if entry.part < 1}
            points = [e for e in points if e.seed in seeds and e.views == "all" and self.results[e.name]]
            if not any(entry.part < 1 for entry in points):
                continue
            for name, held in self.sets.items():
                for entry in sorted(points, key=lambda one: one.part):
                    runs = held.of(entry.system, [entry.seed])
                    own = self.own_classes(held, entry.system).values()
                    scores = {
                        one.name: self._score(one, held, runs)
                        for one in (*measures.RETRIEVAL, *measures.DRAFTS, *own)
                        if one.has(runs)
                    }
                    result = self.results[entry.name] or {}
                    yield {
                        "recipe": entry.system.partition(":")[0], "set": name, "part": entry.part,
                        "patients": result.get("patients"), "scores": scores,
                        "ways": {one.name: way_of(one) for one in own},
                    }  # fmt: skip

    def sites(self) -> Iterator[Json]:
        """Of two sets, each system's score on the first less that on the second."""
        if len(self.sets) != 2:
            return
        (here, one), (there, other) = self.sets.items()
        clusters = [np.char.add(f"{n} ", held.asked.clusters) for n, held in enumerate((one, other))]
        both = self._resampler(np.concatenate(clusters))
        for system in self.main:
            if system not in one.runs or system not in other.runs:
                continue
            runs = one.of(system), other.of(system)
            own = self.own_classes(one, system).values()
            for measure in (*measures.RETRIEVAL, *measures.DRAFTS, *own):
                if all(measure.has(side) for side in runs):
                    less = measures.apart(
                        measure.of(runs[0]), measure.of(runs[1]), both, count=len(one.asked)
                    )
                    yield {
                        "system": system, "measure": measure.name, "way": way_of(measure),
                        "first": here, "second": there,
                        "difference": told(less),
                    }  # fmt: skip

    def papers(self) -> Iterator[Json]:
        """Each system under the scores of TxtRayAlign's, MedCLIP's and X-REM's papers."""
        for name, held in self.sets.items():
            for measure in (*measures.of_txtrayalign(), *measures.of_medclip(), *measures.of_xrem()):
                rows = [
                    {"system": system, **self._score(measure, held, held.of(system))}
                    for system in self.main
                    if measure.has(held.of(system))
                ]
                if rows:
                    yield {"set": name, "paper": measure.group, "measure": measure.name, "rows": rows}

    def json(self) -> Json:
        """All of it, as it stands in table.json."""
        from xemplar.evaluation.benchmark.aims import aims_of
        from xemplar.evaluation.benchmark.costs import costs_of, machine

        domain = self.folder.corpus().settings.domain
        scores, ablations = list(self.scores()), list(self.ablations())
        found = {
            "kind": "benchmark",
            "heading": HEADINGS[domain],
            "domain": domain,
            "settings": self.settings.model_dump(mode="json"),
            "ours": self.ours,
            "systems": self.main,
            "recipes": list(self.plan.recipes),
            "floors": [one for one in self.main if one not in self.plan.recipes and self._is_floor(one)],
            "sets": {name: held.asked.facts() for name, held in self.sets.items()},
            "learnt_from": self.folder.corpus().title,
            "resampling": {"replicates": self.settings.replicates, "level": 0.95, "seed": self.settings.seed},
            "scores": scores,
            "classification": list(self.classes()),
            "ablations": ablations,
            "curves": list(self.curves()),
            "sites": list(self.sites()),
            "predicted": self._predicted(),
            "validation": validated(self.done),
            "papers": list(self.papers()),
            **costs_of(self.folder, self.done, self.main),
            "failed": {e.name: why for e in self.plan.entries if (why := self._why_not(e))},
            "left_out": self.plan.left_out,
            "machine": machine(),
            "versions": {"xemplar": __version__, "numpy": np.__version__},
        }
        found["aims"] = aims_of(scores, ablations, ours=self.ours, recipes=self.plan.recipes)
        return defined(found)

    def _predicted(self) -> Json:
        """Of whom else, and of how many studies of each set, texts were handed in."""
        return {
            name: {
                of: {"studies": len(held.asked), "predicted": count}
                for of, held in self.sets.items()
                if (count := predicted(texts, held.asked))
            }
            for name, texts in self.predictions.items()
        }

    def _is_floor(self, system: str) -> bool:
        return any(system in result["systems"] for entry, result in self.done if entry.recipe == FLOORS)

    def _why_not(self, entry: Entry) -> str | None:
        if self.results[entry.name] is not None:
            return None
        return self.folder.failure(entry) or "not run yet"
