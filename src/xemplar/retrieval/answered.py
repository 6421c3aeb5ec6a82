"""What answers a query in a report, word for word: the sentences that state, doubt or deny what was asked.

Knows one report at a time and reads it again, so that each span is of the report as it stands. Knows nothing
of ranks or probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xemplar.findings import read_claims
from xemplar.records import Study
from xemplar.report import language_within, split_sentences
from xemplar.retrieval.asked import NORMAL, Asked, Term
from xemplar.retrieval.by_sentences import DENIED, STATED, STATUS, UNSAID, answers, tokens


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a report says of one thing that was asked: "stated", "uncertain", "unmentioned" or "denied".

    `asked` names it, `wanted` is whether it was to be there; `span` [start, end) of `Study.text` is the
    sentence, `text` its words; both are None where nothing is said.
    """

    asked: str
    wanted: bool
    says: str
    span: tuple[int, int] | None = None
    text: str | None = None


def evidence(study: Study, asked: Asked) -> tuple[Evidence, ...]:
    """For each term, then for the words left over: what the report says of it, and where."""
    spans = tuple(_sentences(study))
    found = [_of_term(study, term, spans) for term in (*asked.wanted, *asked.unwanted)]
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


def _of_term(study: Study, term: Term, spans: tuple[tuple[int, int], ...]) -> Evidence:
    wanted = term.presence != "absent"
    named = set(tokens(" ".join(term.words)))
    best: tuple[tuple[int, int, int], tuple[int, int]] | None = None
    for span in spans:
        text = " ".join(study.text[slice(*span)].split())
        if language_within(text, "en") != "en":
            continue
        for claim in read_claims(text):
            got = answers(term, claim)
            if got is None or (got[0] == DENIED and not _denies(term, got[1])):
                continue
            rank = (*got, len(named & set(tokens(text))))
            if best is None or rank > best[0]:
                best = (rank, span)
    if best is None or term.finding == NORMAL:
        says = STATUS[STATED] if term.finding == NORMAL else STATUS[UNSAID]
        return Evidence(str(term), wanted, says)
    return Evidence(str(term), wanted, STATUS[best[0][0]], best[1], study.text[slice(*best[1])])


def _denies(term: Term, points: int) -> bool:
    """A denial of another side denies nothing that was asked."""
    return points >= sum(bool(values) for values in (term.side, term.place, term.degree))


def _of_words(study: Study, words: tuple[str, ...], spans: tuple[tuple[int, int], ...]) -> list[Evidence]:
    """The sentence that holds most of the words; none where no sentence holds any."""
    wanted = set(tokens(" ".join(words)))
    held = [(len(wanted & set(tokens(study.text[slice(*span)]))), span) for span in spans]
    most = max((count for count, _ in held), default=0)
    if not most:
        return []
    span = next(span for count, span in held if count == most)
    return [Evidence(" ".join(words), True, "words", span, study.text[slice(*span)])]
