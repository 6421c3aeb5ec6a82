"""Drafts against the truth: what they state and deny, beside what the floors would have stated; their trust.

Knows drafts, studies and claims; knows nothing of retrieval or pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from xemplar.archive import Archive
from xemplar.contracts import Json
from xemplar.drafting import truth_of
from xemplar.drafting.truth import held_to
from xemplar.evaluation.coverage import findings_said, held_promise, lines_said, risk_coverage
from xemplar.evaluation.floors import LINEAR, LinearFloor, floor_films
from xemplar.evaluation.reliability import Beliefs, Claimed, reliability
from xemplar.evaluation.scores import Resampling, draft_scores, finding_scores
from xemplar.evaluation.texts.floors import CONSTANT, NORMAL
from xemplar.evaluation.trust import Sources, Trust, finding_recalls, held, mean_recalls, trust_scores
from xemplar.findings import FINDINGS, read_claims, summarise
from xemplar.metrics.clinical import LabelCounts, count_labels
from xemplar.records import Draft, Presence, Study, Vectors
from xemplar.report import sentences
from xemplar.retrieval import shown_of

Said = Sequence[set[str]]
"""For each study, findings."""

DRAWN = "what was drawn, sides and degrees included"
LABELLED = "labels of the source; sides and degrees as the real report claims them"
READ = (
    "claims of the real report, read by the same rules that compose drafts, so that what these rules "
    "misread is not seen"
)


@dataclass(frozen=True, slots=True)
class Drafted:
    """Every study's draft, what it says, what is true, and the counts of ours and of each floor."""

    studies: tuple[Study, ...]
    drafts: tuple[Draft, ...]
    findings: tuple[str, ...]
    """Those whose truth is known."""
    truth: NDArray[np.bool_]
    stated: dict[str, Said]
    counts: dict[str, LabelCounts]
    trust: Trust
    """Their lines held to all that is true of their studies, and to the archive's own sentences."""

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Counts of each study, so that two evaluations can be compared in pairs."""
        found: dict[str, NDArray[np.generic]] = {}
        for name in ("ours", LINEAR):
            counts = self.counts[name]
            found[f"true positives, {name}"] = counts.tp.sum(axis=1)
            found[f"false positives, {name}"] = counts.fp.sum(axis=1)
            found[f"false negatives, {name}"] = counts.fn.sum(axis=1)
            found[f"claims stated, {name}"] = np.array([len(one) for one in self.stated[name]], np.int64)
        return found | self.trust.columns()


def hold_drafts(
    archive: Archive, studies: tuple[Study, ...], drafts: tuple[Draft, ...], *, floor: LinearFloor
) -> Drafted:
    """Hold drafts, and what the floors would state, against the truth of each study."""
    truths = [truth_of(study) for study in studies]
    labelled = all(study.labels for study in studies)
    findings = tuple(name for name in FINDINGS if not labelled or any(name in truth for truth in truths))
    truth = _table([{name for name, value in one.items() if value == "present"} for one in truths], findings)
    normal = summarise(claim for text in sentences(NORMAL) for claim in read_claims(text))
    stated: dict[str, Said] = {
        "ours": [_claimed(draft, "present") for draft in drafts],
        LINEAR: _linear_drafts(archive, studies, floor),
        CONSTANT: [_present(normal)] * len(studies),
    }
    counts = {n: count_labels(_table(said, findings), truth, findings=findings) for n, said in stated.items()}
    sources = Sources(archive.corpus.sentences)
    trust = held(drafts, [held_to(study) for study in studies], sources=sources)
    return Drafted(studies, drafts, findings, truth, stated, counts=counts, trust=trust)


def score_drafts(drafted: Drafted, archive: Archive, *, vectors: Vectors, resampling: Resampling) -> Json:
    """The scores of drafts beside their floors, and whether their probabilities hold.

    `vectors` (studies, dim) are ours of the films.
    """
    labelled = all(study.labels for study in drafted.studies)
    decided = [claim for draft in drafted.drafts for line in draft.lines for claim in line.claims]
    ours, floors = drafted.counts["ours"], {n: c for n, c in drafted.counts.items() if n != "ours"}
    return {
        "truth": "labels of the source (for phantoms: what was drawn)"
        if labelled
        else "claims of the real report",
        "findings": list(drafted.findings),
        "calibration": archive.calibration.fingerprint if archive.calibration else None,
        "drafts": len(drafted.drafts),
        "constant_normal_report": NORMAL,
        "claims_present": sum(claim.presence == "present" for claim in decided),
        "claims_absent": sum(claim.presence == "absent" for claim in decided),
        "abstentions": sum(len(draft.abstained) for draft in drafted.drafts),
        "stopped_at_the_gate": sum(draft.gate is not None for draft in drafted.drafts),
        "scores": [score.json() for score in draft_scores(ours, floors, resampling)],
        "by_finding": [score.json() for score in finding_scores(ours, floors, resampling)],
        "reliability": _reliability(drafted, archive, vectors=vectors, resampling=resampling),
    }


def score_trust(drafted: Drafted, archive: Archive, *, vectors: Vectors, resampling: Resampling) -> Json:
    """What is wrong in the drafts, how that falls with confidence, and what came of the promise.

    `vectors` (studies, dim) are ours of the films.
    """
    trust, drafts, truths = drafted.trust, drafted.drafts, drafted.trust.truths
    promise = archive.promise
    recalls = mean_recalls(trust, drafted.findings, resampling)
    drift = None
    if getattr(archive.calibration, "seen", None) is not None:
        drift = archive.drift_of([archive.films_of(study) for study in drafted.studies], vectors=vectors)
    return {
        "truth": _judged_by(drafted.studies),
        "scores": trust_scores(trust, resampling),
        "by_finding": finding_recalls(trust, drafted.findings, resampling),
        "recall": {name: asdict(interval) for name, interval in recalls.items()},
        "lines": risk_coverage(lines_said(drafts, truths), resampling),
        "findings": risk_coverage(findings_said(drafts, truths), resampling),
        "promise": held_promise(promise, drafts, truths, resampling=resampling),
        "drift": None if drift is None else {**asdict(drift), "sentence": drift.sentence},
    }


def _judged_by(studies: Sequence[Study]) -> str:
    if not all(study.labels for study in studies):
        return READ
    return DRAWN if all(study.domain == "synthetic" for study in studies) else LABELLED


def _features(archive: Archive, study: Study, vector: Vectors) -> NDArray[np.float32]:
    """A study's evidence, (1, findings, features); one at a time, so that few films are held at once."""
    films = archive.films_of(study)
    assert archive.evidence is not None
    leave = archive.retriever.leave_of(films)
    return archive.evidence.features(vector[None], [leave], [[film.image for film in shown_of(films)]])


def _reliability(
    drafted: Drafted, archive: Archive, *, vectors: Vectors, resampling: Resampling
) -> Json | None:
    """Over the studies that passed the gate; None where two patients or groups didn't."""
    passed = np.array([draft.gate is None for draft in drafted.drafts], np.bool_)
    calibration = archive.calibration
    if calibration is None or archive.evidence is None or len(set(resampling.clusters[passed])) < 2:
        return None
    fitted = tuple(name for name in drafted.findings if name in calibration.findings)
    if not fitted:
        return None
    rows = np.flatnonzero(passed)
    features = np.concatenate([_features(archive, drafted.studies[row], vectors[row]) for row in rows])
    probabilities = calibration.probabilities(features)
    columns = [drafted.findings.index(name) for name in fitted]
    beliefs = Beliefs(
        findings=fitted,
        probabilities=np.stack([probabilities[name] for name in fitted], axis=1),
        truth=drafted.truth[passed][:, columns],
        prevalence=np.array([calibration.findings[name].present / calibration.studies for name in fitted]),
    )
    drafts = [draft for draft in drafted.drafts if draft.gate is None]
    claimed = Claimed(
        stated=_table([_claimed(draft, "present") for draft in drafts], drafted.findings),
        denied=_table([_claimed(draft, "absent") for draft in drafts], drafted.findings),
        truth=drafted.truth[passed],
    )
    return reliability(beliefs, claimed, resampling.of(passed))


def _claimed(draft: Draft, presence: Presence) -> set[str]:
    return {c.finding for line in draft.lines for c in line.claims if c.presence == presence}


def _present(said: dict[str, Presence]) -> set[str]:
    return {name for name, value in said.items() if value == "present"}


def _table(said: Said, findings: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([[name in one for name in findings] for one in said], np.bool_)


def _linear_drafts(archive: Archive, studies: Sequence[Study], floor: LinearFloor) -> Said:
    """What the training report nearest to the linear model's guess states as present."""
    train = [study for study in archive.corpus.part("train") if study.text]
    texts = floor.encode_texts([study.text for study in train])
    queries = floor.encode_images(floor_films(archive.corpus, studies))
    return [_present(summarise(train[row].claims)) for row in np.argmax(queries @ texts.T, axis=1)]
