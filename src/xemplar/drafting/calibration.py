"""Evidence -> probabilities and decisions, fitted on validation patients; the calibration folder.

Knows features and truths; knows nothing of images or sentences. Each finding has a logistic
regression of its features (Platt, 1999, on several scores). From where on it is stated or denied is promised
(`promise`) or, where nothing is, settled by thresholds: a finding is denied where at most a settled share of
the denied is present, and every finding is stated from one and the same probability, the one with the best
micro-F1 on validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from xemplar.contracts import Json
from xemplar.drafting.beliefs import Limits
from xemplar.drafting.details import Details, DetailsFit
from xemplar.drafting.drift import Seen
from xemplar.drafting.evidence import FEATURES
from xemplar.drafting.generations import NAME, PARTS, VERSION, check_place, remove_replaced, write_generation
from xemplar.drafting.promise import Promise
from xemplar.drafting.weighing import weigh
from xemplar.errors import MismatchError, XemplarError
from xemplar.findings import FINDINGS
from xemplar.folders import fingerprint, publish, writing
from xemplar.metrics.thresholds import absent_up_to, best_f1
from xemplar.parts import FittedTo, Learnt, Parts, Place, learnt_in, read_parts
from xemplar.records import Presence

POLICY = "spans that cover what is believed, v4"
WANTED = 8
"""Validation studies with the finding, and without it, below which a finding isn't calibrated."""

FIRM = 30
"""Validation studies with the finding, and without it, below which its fit is told to be a thin one."""

DENIED_WRONG = 0.05


_LATER = {"details", "promise", "nearest", "seen", "under"}


class Under(BaseModel):
    """What limits were found under, beside the index: they promise nothing under another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: str
    """Of the drafts: what is said in an impression is said of other lines than these."""
    lexicon: str
    """The findings' version, by which lines are read."""
    gate: str | None
    """Fingerprint of the gate; what it stops is no draft."""

    def differs(self, other: Under) -> str:
        """Which of them differ, naming both sides; empty where none does."""
        mine, others = self.model_dump(), other.model_dump()
        told = (f"{name} {mine[name]}, here {others[name]}" for name in mine if mine[name] != others[name])
        return "; ".join(told)


class FindingFit(BaseModel):
    """One finding's logistic regression on standardised features, and its thresholds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: list[float]
    scale: list[float]
    weights: list[float]
    intercept: float
    state_at: float
    deny_at: float
    present: int
    """Validation studies with it."""


class Calibration(Learnt):
    """Which index and policy it fits, and every finding's fit; a finding without one is never drafted."""

    kind = "calibration"
    version = VERSION

    policy: str = POLICY
    studies: int
    near_duplicates: int = 0
    """Validation studies left out, a film of theirs being in another split as well."""
    title: str
    findings: dict[str, FindingFit]
    too_few: dict[str, int]
    """Findings left out, and how many validation studies have them."""
    features: tuple[str, ...] = FEATURES
    """Names of the evidence's features, in their order; written down where there are others than these."""
    details: DetailsFit | None = None
    """Of sides, places and degrees; without it each is as sure as its finding."""
    promise: Promise | None = None
    """What drafts keep, on patients that fitted nothing of the rest; None where nothing is promised."""
    nearest: float | None = None
    """The cosine of the fitted patients' most distant film to its nearest neighbour: none is drafted that
    is further from all; None where nothing is promised."""
    seen: Seen | None = None
    """Of the promise's patients, to tell films that are unlike theirs."""
    under: Under | None = None
    """What the promise was found out under; one of which nobody knows it is void."""

    @model_serializer(mode="wrap")
    def _without_what_is_usual(self, write: SerializerFunctionWrapHandler) -> Json:
        """Only what isn't as it always was, so that it keeps its fingerprint."""
        values: Json = write(self)
        if self.features == FEATURES:
            del values["features"]
        return {key: value for key, value in values.items() if key not in _LATER or value is not None}

    @cached_property
    def fingerprint(self) -> str:
        """Of everything in it; every draft asks for it."""
        return fingerprint(self.model_dump())

    @cached_property
    def told_details(self) -> Details | None:
        """What answers for sides, places and degrees; None where none was learnt."""
        return None if self.details is None else Details(self.details)

    @property
    def thin(self) -> dict[str, int]:
        """Findings that few studies stand behind, and how many: those with it or without, the fewer."""
        behind = {name: min(fit.present, self.studies - fit.present) for name, fit in self.findings.items()}
        return {name: count for name, count in behind.items() if count < FIRM}

    def probabilities(self, features: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        """(queries, findings, features) -> finding -> (queries,) probability that it is present."""
        if features.shape[2] != len(self.features):
            raise XemplarError(
                f"{features.shape[2]} features", wanted=f"{len(self.features)}: {', '.join(self.features)}"
            )
        # One product a query: several at once are rounded by how many they are.
        return {
            name: np.array([_probability(fit, row[None, FINDINGS.index(name)])[0] for row in features])
            for name, fit in self.findings.items()
        }

    @property
    def limits(self) -> Limits | None:
        """From where on findings are stated and denied; None where what was asked can't be promised."""
        if self.promise is None:
            state_at = min(one.state_at for one in self.findings.values())
            deny_at = {name: one.deny_at for name, one in self.findings.items()}
            return Limits(state_at, deny_at, normal_wrong=DENIED_WRONG)
        if self.promise.state_at is None or self.promise.deny_at is None:
            return None
        return Limits(self.promise.state_at, self.promise.deny_at)

    def limits_of(self, *, promised: bool) -> Limits | None:
        """The same for a draft of which they are promised, or aren't: then it is held to more.

        A draft that isn't promised though others are (the promise is void here, or it has a prior), and
        states nothing, is held to denying no more than is absent together, as where nothing is promised.
        """
        limits = self.limits
        return limits if limits is None or promised else replace(limits, normal_wrong=DENIED_WRONG)

    @property
    def outside(self) -> dict[str, str]:
        """Findings that are never drafted, and why."""
        return {
            name: f"outside what the archive shows: {self._too_few(n)}" for name, n in self.too_few.items()
        }

    def undecided(self, finding: str, presence: float) -> str | None:
        """Why a finding of that probability is neither stated nor denied; None where it is sure enough."""
        limits = self.limits
        if limits is None or limits.may_state(presence) or limits.may_deny(finding, presence):
            return None
        there = round(100 * presence)
        return f"evidence split {there} : {100 - there}, stated from {limits.state_at:.0%} on"

    def _too_few(self, having: int) -> str:
        """Whichever there are too few of, studies with a finding or without it."""
        count, what = having, "it"
        if having >= WANTED:
            count, what = self.studies - having, "no sign of it"
        if count == 0:
            return f"no calibration study has {what}, {WANTED} wanted"
        studies = "study has" if count == 1 else "studies have"
        return f"only {count} calibration {studies} {what}, {WANTED} wanted"


def fit(
    features: NDArray[np.float32],
    truths: Sequence[Mapping[str, Presence]],
    *,
    index: FittedTo,
    title: str,
    near_duplicates: int = 0,
    names: tuple[str, ...] = FEATURES,
) -> Calibration:
    """Fit every finding that enough validation studies have, with the features of `index`.

    `truths` says of each study which findings are there, `near_duplicates` how many studies were left
    out before, to be told with the result; `names` are the features', as the evidence has them.
    """
    present = np.array([[truth.get(name) == "present" for name in FINDINGS] for truth in truths], np.bool_)
    present = present.reshape(len(truths), len(FINDINGS))
    counts = present.sum(axis=0).tolist()
    chosen = [place for place, count in enumerate(counts) if WANTED <= count <= len(truths) - WANTED]
    too_few = {name: counts[place] for place, name in enumerate(FINDINGS) if place not in chosen}
    if not chosen:
        raise XemplarError(
            f"none of {len(FINDINGS)} findings is both present and absent often enough"
            f" among {len(truths)} validation studies",
            wanted=f"at least {WANTED} with a finding and {WANTED} without it",
            remedy="ingest more, or search without drafting: where a tenth is held for validation, "
            f"a finding that one study in ten has needs some {WANTED * 100} studies in the archive",
        )
    rough = _fitted(features, present, chosen)
    held = {
        FINDINGS[place]: (_probability(rough[FINDINGS[place]], features[:, place]), present[:, place])
        for place in chosen
    }
    return Calibration(
        index=index,
        studies=len(truths),
        near_duplicates=near_duplicates,
        title=title,
        findings=_with_thresholds(rough, held),
        too_few=too_few,
        features=names,
    )


def _with_thresholds(
    rough: Mapping[str, FindingFit], held: Mapping[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]
) -> dict[str, FindingFit]:
    """The fits with their thresholds, from each finding's probabilities and presence on validation.

    One threshold serves all, since F1 pooled over findings is best where every statement is as sure as
    every other (Lipton et al., 2014); one a finding would be the best of a few dozen studies, and would
    state a finding that the evidence doesn't tell wherever it is rare.
    """
    probabilities, present = (np.concatenate(parts) for parts in zip(*held.values(), strict=True))
    state_at = best_f1(probabilities, present)
    below = float(np.nextafter(state_at, 0))
    return {
        name: one.model_copy(
            update={
                "state_at": state_at,
                "deny_at": min(absent_up_to(*held[name], share=DENIED_WRONG), below),
            }
        )
        for name, one in rough.items()
    }


def save_calibration(folder: Path, calibration: Calibration, *, parts: Callable[[Path], None]) -> Json:
    """Write a calibration folder; a new fit takes the old one's place, whole or not at all.

    `parts` writes what else belongs to it into the folder that it is given, a new one; the manifest, which
    lists that, comes last, and then what the one before listed goes. A folder of anything else is refused.
    """
    check_place(folder)
    with writing(folder):
        before = check_place(folder)
        generation, files = write_generation(folder, before, parts)
        manifest = {**calibration.manifest(generation), "files": files}
        publish(folder, NAME, manifest)
        remove_replaced(folder, before)
    return manifest


def open_parts(folder: Path | str) -> Parts:
    """A calibration folder read as one: what `open_calibration` and the openers of its parts are given."""
    return read_parts(Path(folder), Calibration.kind, version=VERSION, older=tuple(PARTS))


def open_calibration(folder: Place, *, index: FittedTo, names: tuple[str, ...] = FEATURES) -> Calibration:
    """Open a calibration; one that serves another index, or other features, is refused, naming both."""
    read = folder if isinstance(folder, Parts) else open_parts(folder)
    values = {key: value for key, value in read.manifest.items() if key != "files"}
    calibration = learnt_in(values, Calibration, where=read.folder, index=index)
    if calibration.policy != POLICY:
        raise MismatchError(
            f"policy {calibration.policy!r}", wanted=repr(POLICY), where=str(read.folder),
            remedy="run `xemplar calibrate` again",
        )  # fmt: skip
    if calibration.features != names:
        raise MismatchError(
            f"calibrated on {', '.join(calibration.features)}", wanted=f"on {', '.join(names)}",
            where=str(read.folder), remedy="run `xemplar calibrate` again",
        )  # fmt: skip
    return calibration


def _fitted(
    features: NDArray[np.float32], present: NDArray[np.bool_], chosen: list[int]
) -> dict[str, FindingFit]:
    """The chosen findings' parts of one regression, without thresholds; `present` (studies, findings)."""
    found = weigh(features[:, chosen], present[:, chosen])
    return {
        FINDINGS[place]: FindingFit(
            mean=found.mean[row].tolist(), scale=found.scale.tolist(), weights=found.weights[row].tolist(),
            intercept=float(found.intercepts[row]), state_at=1.0, deny_at=0.0,
            present=int(present[:, place].sum()),
        )
        for row, place in enumerate(chosen)
    }  # fmt: skip


def _probability(fit: FindingFit, features: NDArray[np.float32]) -> NDArray[np.float64]:
    logits = (features - np.array(fit.mean)) / np.array(fit.scale) @ np.array(fit.weights) + fit.intercept
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float64)
