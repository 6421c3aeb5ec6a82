"""A report beside its film, by an archive: what its evidence speaks against, with the studies that speak.

Knows which room believes, which reads, and who is near; what becomes an alert is told in `check`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xemplar.archive.leaning import leanings
from xemplar.check import (
    PAIRS,
    Alert,
    Checked,
    CheckLimits,
    Clean,
    Leaning,
    Read,
    Source,
    Suspicion,
    check_text,
    fit_limits,
    fit_of,
    read_report,
    suspicions,
    swaps_of,
)
from xemplar.drafting.calibration import Calibration
from xemplar.drafting.limits import patient_of
from xemplar.drafting.policies.case import Case
from xemplar.drafting.policies.evidence import ByEvidence, Held
from xemplar.errors import XemplarError
from xemplar.index import fitted_to
from xemplar.records import Claim, Film, Kind, Study

if TYPE_CHECKING:
    from xemplar.archive.facade import Archive, Views

NEAR = 48
"""Nearest studies that are looked through for one that says otherwise."""
SHOWN = 3
OTHERS = 4
"""Films of other patients beside which each clean report is put, to learn what that looks like."""
_OPPOSITE = {one: other for _, pair in PAIRS.values() for one, other in (pair, pair[::-1])}
NOTHING_READ = "no finding is read in it"
UNREAD = "the report is not read, so nothing is held to the film"
ADVICE = "run `xemplar calibrate`"
NOT_FITTED = f"nothing is fitted for checks; {ADVICE} again"


def checked(archive: Archive, views: Views | None, report: str | Study) -> Checked:
    """What in a report should be looked at again, by its words and by its film; silent otherwise.

    `views` are a film, or the several views of one study; without one, or where the film can't be judged
    (stopped at the gate, nothing calibrated), the words alone are checked and `unseen` says why. Quotes'
    places are offsets into a text given whole, or into each section of a study.
    """
    read = read_report(report)
    words = check_text(read)
    films = () if views is None else [views] if isinstance(views, Film) else views
    if not films:
        return words
    if read.unread is not None:
        return _told(words, unseen=UNREAD)
    if (why := _unable(archive)) is not None:
        return _told(words, unseen=why)
    vectors, (shown,) = archive.retriever.vectors_of_views([films])
    if (why := archive.gatekeeper.why(films, vectors[0], views=shown)) is not None:
        return _told(words, unseen=why.removeprefix("no draft: "))
    drafter = archive.drafter
    if not isinstance(drafter, ByEvidence):
        raise XemplarError("the archive's policy believes nothing", wanted="one that weighs evidence")
    held = drafter.held(archive.cases([films], vectors))[0]
    leaning = _leaning_of(archive, held, read, drafter=drafter)
    return judged(archive, held, read, leaning=leaning, words=words)


def _leaning_of(archive: Archive, held: Held, read: Read, *, drafter: ByEvidence) -> Leaning:
    """To which side the film's findings lean; nothing is encoded where the report tells no side."""
    told = swaps_of(read, held.beliefs, {})
    if not any(one.kind == "other side seen" for one in told):
        return {}
    return leanings(archive.retriever, drafter, [held.case])[0]


def judged(archive: Archive, held: Held, read: Read, *, leaning: Leaning, words: Checked) -> Checked:
    """Alerts by the film, after those by the words."""
    limits = limits_of(archive)
    suspected = suspicions(read, held.beliefs)
    suspected += limits.swapped(swaps_of(read, held.beliefs, leaning))
    found = [one for one in suspected if limits.tells(one.kind, one.probability)]
    near = _Near(archive, held)
    alerts = [_alert(one, near) for one in sorted(found, key=lambda one: -one.probability)]
    if not read.said:  # what says nothing fits no film better than another
        return Checked((*words.alerts, *alerts), None, limits.why, (*words.notes, NOTHING_READ))
    share = nearer(archive, held.case.vector, archive.encoder.encode_texts([read.text])[0])
    fit = fit_of(read, held.beliefs, usual=limits.usual, nearer=share)
    if limits.tells("another film", chance := limits.another(fit)):
        alerts.insert(0, _another(suspected, near, chance))
    return Checked((*words.alerts, *alerts), None, limits.why, words.notes)


def limits_of(archive: Archive) -> CheckLimits:
    """Those fitted with the archive's calibration; refused where there are none."""
    why = _unable(archive)
    if why is not None:
        raise XemplarError(why, remedy=ADVICE)
    if archive.check_limits is None:
        raise XemplarError(NOT_FITTED)
    return archive.check_limits


def _unable(archive: Archive) -> str | None:
    if archive.assembly.policy != "evidence" or "sentence" not in archive.index.items:
        return "this archive's policy believes nothing of a film"
    if archive.calibration is None:
        return f"{archive.uncalibrated.found}; {ADVICE}"
    return NOT_FITTED if archive.check_limits is None else None


def _told(words: Checked, *, unseen: str) -> Checked:
    return Checked(words.alerts, words.unread, unseen, words.notes)


# --- who speaks for an alert ---


class _Near:
    """The studies nearest to a film, and what their reports say; asked only where something is told."""

    def __init__(self, archive: Archive, held: Held) -> None:
        self.archive, self.held = archive, held
        self._ids: list[str] | None = None

    @property
    def ids(self) -> list[str]:
        if self._ids is None:
            kind: Kind = "image" if "image" in self.archive.index.items else "report"
            case = self.held.case
            hits = self.archive.retriever.search(
                case.films or "a film", kind, NEAR, leave=case.leave, vector=case.vector, stages=("vectors",)
            )
            self._ids = list(dict.fromkeys(hit.study_ids[0] for hit in hits))
        return self._ids

    def against(self, one: Suspicion) -> tuple[Source, ...]:
        """The nearest whose reports say the opposite, with the sentence that does."""
        found = []
        for study_id in self.ids:
            for said in read_report(self.archive.corpus.by_id[study_id]).said:
                if said.claim.finding == one.finding and _opposes(said.claim, one):
                    found.append(Source(study_id, " ".join(said.quote.sentence.split())))
                    break
            if len(found) == SHOWN:
                break
        return tuple(found)

    def reports(self) -> tuple[Source, ...]:
        """The nearest studies, and how their reports end."""
        last = [(one, read_report(self.archive.corpus.by_id[one]).sentences) for one in self.ids[:SHOWN]]
        return tuple(Source(one, " ".join(said[-1].sentence.split())) for one, said in last if said)


def _opposes(claim: Claim, one: Suspicion) -> bool:
    if one.kind == "stated, not seen":
        return claim.presence == "absent"
    if claim.presence != "present":
        return False
    if one.said is None or one.kind == "denied, but seen":
        return True
    kind = "side" if one.kind == "other side seen" else "degree"
    return bool(getattr(claim, kind) == _OPPOSITE.get(getattr(one.said.claim, kind)))


def _another(suspected: Sequence[Suspicion], near: _Near, chance: float) -> Alert:
    """With what probably doesn't fit, and who says otherwise; the nearest studies where nobody does."""
    probable = [one for one in suspected if one.probability > 0.5]
    worst = sorted(probable, key=lambda one: -one.probability)[:SHOWN]
    message = "what it says fits other films of the archive better than this one"
    if worst:
        message += f": {'; '.join(map(_message, worst))}"
    quotes = tuple(dict.fromkeys(one.said.quote for one in worst if one.said is not None))
    sources = dict.fromkeys(source for one in worst for source in near.against(one)[:1])
    return Alert("another film", None, message, quotes, chance, tuple(sources) or near.reports())


def _alert(one: Suspicion, near: _Near) -> Alert:
    said = one.said
    quotes = () if said is None else (said.quote,)
    return Alert(one.kind, one.finding, _message(one), quotes, one.probability, near.against(one))


def _message(one: Suspicion) -> str:
    chance = f"{one.probability:.2f}"
    if one.kind == "seen, not said":
        return f"{one.finding}: the report doesn't speak of it; by this film it is there with {chance}"
    claim = None if one.said is None else one.said.claim
    if one.kind == "stated, not seen":
        return f"{one.finding}: the report states it; by this film it isn't there with {chance}"
    if one.kind == "denied, but seen" or claim is None:
        return f"{one.finding}: the report denies it; by this film it is there with {chance}"
    said = claim.side if one.kind == "other side seen" else claim.degree
    opposite = _OPPOSITE[said or ""]
    return f"{one.finding}: the report says {said}; by this film it is rather {opposite}, with {chance}"


# --- what is fitted ---


def nearer(archive: Archive, film: NDArray[np.float32], text: NDArray[np.float32]) -> float:
    """The share of the archive's films whose vectors are nearer to a report's than a film's is; (dim,)."""
    if "image" not in archive.index.items:
        return 0.5
    cosines = np.asarray(archive.index.items["image"].vectors) @ text
    own = float(film @ text)
    return float((cosines > own).mean() + 0.5 * (cosines == own).mean())


def fit_checks(
    archive: Archive, calibration: Calibration, *, cases: Sequence[Case], studies: Sequence[Study]
) -> CheckLimits:
    """Fit limits on clean reports beside their films and others'.

    `calibration` is what the films are believed by; best fitted on other patients than these. Reports in
    which no finding is read are left out.
    """
    assert archive.evidence is not None and archive.composer is not None
    drafter = ByEvidence(archive.evidence, archive.composer, calibration)
    held = drafter.held(cases)
    reads = [read_report(study) for study in studies]
    kept = [row for row, read in enumerate(reads) if read.said]
    pairs = [(held[row], reads[row]) for row in kept]
    leaning = leanings(archive.retriever, drafter, [one.case for one, _ in pairs])
    texts = archive.encoder.encode_texts([read.text for _, read in pairs]) if pairs else ()
    names = list(pairs[0][0].beliefs) if pairs else []
    usual = {name: float(np.mean([one.beliefs[name].presence for one, _ in pairs])) for name in names}
    clean = []
    for place, (own, read) in enumerate(pairs):
        fits = [
            fit_of(read, one.beliefs, usual=usual, nearer=nearer(archive, one.case.vector, texts[place]))
            for one in (own, *_others(pairs, place))
        ]
        alarms = bool(check_text(read).alerts)
        swaps = swaps_of(read, own.beliefs, leaning[place])
        patient = patient_of(studies[kept[place]])
        clean.append(Clean(suspicions(read, own.beliefs), swaps, alarms, fits[0], fits[1:], patient))
    return fit_limits(clean, usual, fitted_to(archive.index))


def _others(pairs: Sequence[tuple[Held, Read]], place: int) -> list[Held]:
    """Films of other patients, at even distances; a study without a patient is its own."""
    own = pairs[place][0].case.leave.patient_id
    found = [
        one
        for step in range(1, len(pairs))
        for one, _ in [pairs[(place + step * max(1, len(pairs) // (OTHERS + 1))) % len(pairs)]]
        if one is not pairs[place][0] and (own is None or one.case.leave.patient_id != own)
    ]
    return list({id(one): one for one in found}.values())[:OTHERS]
