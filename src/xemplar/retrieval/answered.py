"""What answers a query in a report, word for word: the sentences that state, doubt or deny what was asked.

Knows one report at a time and reads it again, so that each span is of the report as it stands; what a claim
says of a term is decided where the tables ask, too (`verdicts.py`). Knows nothing of ranks or probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xemplar.findings import read_claims
from xemplar.records import Study
from xemplar.report import language_within, split_sentences
from xemplar.retrieval.asked import NORMAL, Asked, Term
from xemplar.retrieval.by_sentences import tokens
from xemplar.retrieval.kinds import HELD, Named, kinds_held, named_by, relation, told
from xemplar.retrieval.verdicts import Key, Verdict, both_of, key_of, sides_of, unlike, verdict

SAYS = {
    Verdict.STATED: "stated",
    Verdict.DOUBTED: "uncertain",
    Verdict.DENIED: "denied",
    Verdict.UNSAID: "unmentioned",
}
"""What is said of a verdict; of the others what they are unlike in: "another side", "side not said"."""
_RANK = {says: int(verdict) for verdict, says in SAYS.items()} | {SAYS[Verdict.DENIED]: -1}
"""Of terms any of which will do the best counts; that one is denied denies them not."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a report says of one thing that was asked.

    "stated" (as it was asked), "uncertain", "denied" or "unmentioned"; "another side" (place, degree, kind)
    where it is of another one alone, "side not said" where that is left open; "words" of words that no
    finding takes. `asked` names the thing (of such words those that the sentence holds), `wanted` is whether
    it was to be there; `span` [start, end) of `Study.text` is the sentence, `text` its words; both are None
    where nothing is said.
    """

    asked: str
    wanted: bool
    says: str
    span: tuple[int, int] | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class _Said:
    """One claim: its finding, its key, the kinds it names, and its sentence."""

    finding: str
    key: Key
    named: Named
    span: tuple[int, int]
    words: frozenset[str]


def evidence(study: Study, asked: Asked) -> tuple[Evidence, ...]:
    """For each term, then for the words left over: what the report says of it, and where."""
    spans = tuple(_sentences(study))
    terms = (*asked.wanted, *asked.unwanted)
    said = list(_claims(study, spans, {one.finding for term in terms for one in term.each}))
    found = [
        _of_term(study, term, (told(asked, term), place < len(asked.wanted)), said=said, asked=asked)
        for place, term in enumerate(terms)
    ]
    if asked.words:
        found += _of_words(study, asked.words, spans)
    return tuple(found)


def _sentences(study: Study) -> Iterator[tuple[int, int]]:
    """Offsets of the sentences in `study.text`, findings and impression apart."""
    at = 0
    for part in (study.findings, study.impression):
        if part:
            yield from ((at + start, at + end) for start, end in split_sentences(part))
            at += len(part) + 1


def _claims(study: Study, spans: tuple[tuple[int, int], ...], findings: set[str]) -> Iterator[_Said]:
    for span in spans:
        text = " ".join(study.text[slice(*span)].split())
        if language_within(text, "en") != "en":
            continue
        claims, words = read_claims(text), frozenset(tokens(text))
        for finding in {claim.finding for claim in claims if findings & {claim.finding, NORMAL}}:
            for claim, named in zip(claims, named_by(text, claims, finding), strict=True):
                if claim.finding == finding:
                    yield _Said(finding, key_of(claim), named, span, words)


def _of_term(
    study: Study, term: Term, shown: tuple[str, bool], *, said: list[_Said], asked: Asked
) -> Evidence:
    if term.any_of:
        several = [_of_term(study, one, shown, said=said, asked=asked) for one in term.each]
        return max(several, key=lambda one: _RANK.get(one.says, Verdict.LOOSE))
    if term.finding == NORMAL:
        others = {one.finding for whole in asked.wanted for one in whole.each if shown[1]}
        abnormal = [one for one in said if one.key[0] != "absent" and one.finding not in others]
        return _quoted(study, shown, SAYS[Verdict.DENIED if abnormal else Verdict.STATED], said=abnormal[:1])
    own = [one for one in said if one.finding == term.finding]
    found, best, kinds = min(
        ((*_best_of_sides(term, own, kinds=kinds), kinds) for kinds in kinds_held(asked, term)),
        key=lambda one: one[0],
    )
    if best is None:
        return _quoted(study, shown, SAYS[Verdict.UNSAID], said=[])
    says = SAYS[found] if found in SAYS else _unlike(term, best, kinds)
    return _quoted(study, shown, says, said=[best])


def _best_of_sides(term: Term, own: list[_Said], *, kinds: Named) -> tuple[Verdict, _Said | None]:
    """The highest verdict, and who gives it; of a term of both sides each may be told apart."""
    found, best = _best(term, own, kinds=kinds)
    if term.side == ("bilateral",):
        (left, of_left), (right, of_right) = (_best(one, own, kinds=kinds) for one in sides_of(term))
        if (both := Verdict(int(both_of(found, left, right)))) > found:
            return both, of_left if left <= right else of_right
    return found, best


def _best(term: Term, own: list[_Said], *, kinds: Named) -> tuple[Verdict, _Said | None]:
    """The highest verdict, and who gives it: of several the one with most of the words that name the term."""
    words = set(tokens(" ".join(term.words)))
    best: tuple[Verdict, int] = (Verdict.UNSAID, -1)
    by: _Said | None = None
    for one in own:
        found = verdict(term, one.key, relation(term.finding, kinds, one.named) if kinds else HELD)
        rank = (found, len(words & one.words))
        if found > Verdict.UNSAID and rank > best:
            best, by = rank, one
    return best[0], by


def _unlike(term: Term, by: _Said, kinds: Named) -> str:
    """Such as "another side", or "side not said"; of several, another one before one that isn't said."""
    related = relation(term.finding, kinds, by.named) if kinds else HELD
    found = sorted(unlike(term, by.key, related), key=lambda one: not one[1])
    return f"another {found[0][0]}" if found[0][1] else f"{found[0][0]} not said"


def _quoted(study: Study, shown: tuple[str, bool], says: str, *, said: list[_Said]) -> Evidence:
    span = said[0].span if said else None
    return Evidence(*shown, says, span, None if span is None else study.text[slice(*span)])


def _of_words(study: Study, words: tuple[str, ...], spans: tuple[tuple[int, int], ...]) -> list[Evidence]:
    """The sentence that holds most of the words; none where no sentence holds any."""
    wanted = set(tokens(" ".join(words)))
    held = [(len(wanted & set(tokens(study.text[slice(*span)]))), span) for span in spans]
    most = max((count for count, _ in held), default=0)
    if not most:
        return []
    span = next(span for count, span in held if count == most)
    said = set(tokens(study.text[slice(*span)]))
    names = [word for word in words if said & set(tokens(word))]
    return [Evidence(" ".join(names), True, "words", span, study.text[slice(*span)])]
