"""A query -> every study that answers it, as a table that says why, who is left out, how to make it again.

Knows the finder's verdicts and CSV. A cohort is stricter than a search: a report states all that is wanted,
and neither states nor doubts what is excluded. Its first line holds the query, its reading, fingerprints,
counts and a hash of the rows, and is enough to gather the same cohort of the same archive again, or to say
that it isn't the same.
"""

from __future__ import annotations

import csv
import errno
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xemplar import __version__
from xemplar.contracts import Json
from xemplar.errors import MismatchError, XemplarError
from xemplar.findings import lexicon_version, summarise
from xemplar.folders import fingerprint
from xemplar.records import Study
from xemplar.retrieval.answered import evidence
from xemplar.retrieval.asked import Asked, asked_from, read_query
from xemplar.retrieval.by_sentences import DOUBTED, UNSAID, tokens
from xemplar.retrieval.finder import NOTICE, Finder, Judged
from xemplar.retrieval.kinds import told, words_held
from xemplar.retrieval.unheld import check_typed

VERSION = 2
MANY = 30
"""Values of a facet beyond which they are told by their number alone."""

_UNTOLD = frozenset(("cluster",))
_MARK = "# "


@dataclass(frozen=True, slots=True)
class Cohort:
    """The studies of a cohort, best first, with the header that makes it again."""

    header: Json
    studies: tuple[Study, ...]
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    """One a study: ids, probability, for each thing asked what is said, where and in which words; facets."""

    def text(self) -> str:
        """As CSV, the header in its first line."""
        return csv_of(self.header, self.columns, self.rows)


def gather(
    finder: Finder,
    query: str | Asked,
    *,
    facets: Mapping[str, str] | None = None,
    at_least: float | None = None,
) -> Cohort:
    """Every study of an index that answers a query; with `at_least`, of that probability or a higher one.

    A query that names neither a finding nor a facet, and an archive whose reports aren't read, are refused;
    so is a typed one with what looks like a filter and is none here ("elderly", "in 2020").
    """
    asked = finder.reading(query, facets)
    likely = asked.has_probability and finder.worth.stale is None
    _refuse_undefined(finder, asked, at_least)
    if isinstance(query, str):  # a reading made by hand says itself which words only rank
        check_typed(read_query(query).filters, asked, ranking=_ranking(asked))
    asked_for = _asked_for(asked)
    judged = finder.judge(asked)
    excluded, inside = _sorted_out(judged, at_least)
    found = _best_first(finder, judged, inside)
    studies = tuple(finder.retriever.corpus.by_id[study_id] for _, study_id in found)
    names = tuple(name for name in finder.facets.names if name not in _UNTOLD)
    rows = tuple(
        {**_ids(study), "probability": f"{chance:.4f}" if likely else ""}
        | _evidence(study, asked, asked_for)
        | _facets(study, names)
        for (chance, _), study in zip(found, studies, strict=True)
    )
    columns = _columns(asked_for, names)
    header = {
        **_made_with(finder),
        **_defined_by(finder, asked, at_least),
        "parts": list(finder.retriever.index.manifest["parts"]),
        "studies": len(finder.retriever.corpus.studies),
        "reports": finder.table.count,
        "included": len(studies),
        "patients": len({study.patient_id for study in studies if study.patient_id}),
        "excluded": excluded,
        "findings": _findings(studies),
        "facets": {name: _counted([row[name] for row in rows]) for name in names},
        "rows": fingerprint([columns, [[row.get(name, "") for name in columns] for row in rows]]),
    }
    return Cohort(header, studies, columns, rows)


def _best_first(finder: Finder, judged: Judged, inside: np.ndarray) -> list[tuple[float, str]]:
    """Probability and study of each row inside (n,), equal ones by the study's id."""
    rows = np.flatnonzero(inside).tolist()
    found = [(float(judged.probability[row]), finder.study_ids[row]) for row in rows]
    return sorted(found, key=lambda one: (-one[0], one[1]))


def _defined_by(finder: Finder, asked: Asked, at_least: float | None) -> Json:
    """What was asked, and what no report is held to."""
    ranking, notes = _ranking(asked), list(asked.notes)
    if ranking:
        notes.append(f'no report is held to "{" ".join(ranking)}": words only rank')
    return {
        "status": NOTICE,
        "query": asked.text,
        "reading": asked.json(),
        "held_to": [name for name in _asked_for(asked) if name != "words"],
        "notes": notes,
        "at_least": at_least,
    }


def _ranking(asked: Asked) -> list[str]:
    """The words that no report is held to."""
    held = set(tokens(" ".join(words_held(asked))))
    return [word for word in asked.words if not set(tokens(word)) <= held]


def _refuse_undefined(finder: Finder, asked: Asked, at_least: float | None) -> None:
    """Refuse a query that defines no cohort, and a probability that it can't be held to."""
    if asked.how != "claims" or not finder.reads or not (asked.names_findings or asked.filters):
        raise XemplarError(
            f"a query that defines no cohort ({asked})",
            wanted="findings or facets that a report can be held to",
        )
    if at_least is not None and not 0 <= at_least <= 1:
        raise XemplarError(f"a probability of {at_least}", wanted="one in 0..1")
    if at_least is not None and not asked.has_probability:
        found = f"a probability of {at_least} for a query that wants no finding, and so has none"
        raise XemplarError(found, wanted="a finding that is to be there", remedy="leave the probability out")
    if at_least is not None and finder.worth.stale is not None:
        raise XemplarError(f"no probability: {finder.worth.stale}", remedy="leave the probability out")


def gather_again(finder: Finder, path: Path) -> Cohort:
    """The cohort that a file's header describes, of the very archive and rules it was made with.

    One whose rows would not be the same is refused, as another version of the program may make them.
    """
    header = read_header(path)
    for name, own in _made_with(finder).items():
        if name != "xemplar" and header.get(name) != own:
            raise MismatchError(
                f"the cohort was made with {name} {header.get(name)}", wanted=f"{name} {own}, as here",
                where=str(path), remedy="gather it anew from its query",
            )  # fmt: skip
    made = gather(finder, asked_from(header["reading"]), at_least=header["at_least"])
    if made.header["rows"] != header.get("rows"):
        found = f"{header['included']} studies by xemplar {header.get('xemplar')}"
        raise MismatchError(
            "the cohort that its header describes has other rows here", where=str(path),
            wanted=f"those of the file ({found}); gathered are {len(made.rows)} by xemplar {__version__}",
            remedy="gather it anew from its query, or with the version that made it",
        )  # fmt: skip
    return made


def read_header(path: Path) -> Json:
    """The first line of a cohort's file."""
    wanted = "the file of a cohort, as `xemplar cohort --out FILE` writes it"
    try:
        with path.open(encoding="utf-8") as file:
            header = json.loads(file.readline().removeprefix(_MARK))
    except OSError as error:
        found = {errno.ENOENT: "no such file", errno.EISDIR: "a folder"}.get(error.errno or 0)
        raise XemplarError(
            found or f"can't be read: {error.strerror}", wanted=wanted, where=str(path)
        ) from None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.get("kind") != "cohort":
        found = "no cohort: its first line isn't a cohort's header"
        raise XemplarError(found, wanted=wanted, where=str(path))
    if header.get("version") != VERSION:
        raise XemplarError(
            f"a cohort of version {header.get('version')}", wanted=f"version {VERSION}", where=str(path),
            remedy="gather it anew from its query",
        )  # fmt: skip
    if header.get("deidentified"):
        raise XemplarError(
            "a cohort that was handed on, without ids and without what makes it again",
            wanted="the file it was made of", where=str(path),
        )  # fmt: skip
    if not _is_whole(header):
        found = "a cohort's header that is damaged or cut short"
        raise XemplarError(found, wanted=wanted, where=str(path), remedy="gather it anew from its query")
    return header


def _is_whole(header: Json) -> bool:
    """Whether a header holds what the cohort is made again from, each as it should be."""
    likely, included = header.get("at_least", ""), header.get("included")
    number = likely is None or (isinstance(likely, int | float) and not isinstance(likely, bool))
    return number and isinstance(header.get("reading"), dict) and isinstance(included, int)


def csv_of(header: Json, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    """A table as text, with a header in JSON before it."""
    sink = io.StringIO()
    sink.write(_MARK + json.dumps(header, ensure_ascii=False) + "\n")
    table = csv.DictWriter(sink, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return sink.getvalue()


def _made_with(finder: Finder) -> Json:
    """What the same cohort takes."""
    retriever = finder.retriever
    return {
        "kind": "cohort",
        "version": VERSION,
        "xemplar": __version__,
        "domain": retriever.corpus.settings.domain,
        "corpus": retriever.corpus.fingerprint,
        "index": retriever.index.fingerprint,
        "lexicon": lexicon_version(),
        "weights": fingerprint([finder.worth.intercept, *finder.worth.weights, *finder.worth.knots]),
    }


def _sorted_out(judged: Judged, at_least: float | None) -> tuple[dict[str, int], np.ndarray]:
    """Reports by the first reason that leaves them out, and who is left (n,)."""
    asked, weighed = judged.reading, judged.weighed
    inside = judged.reason < 0
    excluded = judged.excluded
    unwanted = list(zip(asked.unwanted, weighed.unwanted, strict=True))
    wanted = list(zip(asked.wanted, weighed.wanted, strict=True))
    sure = [(term, status) for term, status in wanted if term.presence == "present"]
    reasons = [
        *((f"doubts {told(asked, term)}", status == DOUBTED) for term, status in unwanted),
        *((f"says nothing of {term}", status == UNSAID) for term, status in wanted),
        *((f"is unsure of {term}", status == DOUBTED) for term, status in sure),
        *(
            (f"states {term.finding}, not as {told(asked, term)}", ~agreed)
            for term, agreed in zip(asked.wanted, weighed.agreed, strict=True)
        ),
    ]
    if at_least is not None:
        reasons.append((f"below a probability of {at_least:g}", judged.probability < at_least))
    for why, rows in reasons:
        count = int((inside & rows).sum())
        inside = inside & ~rows
        if count:
            excluded[why] = count
    return excluded, inside


def _columns(asked_for: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    said = [f"{name}: {part}" for name in asked_for for part in ("says", "start", "end", "text")]
    return ("study_id", "patient_id", "split", "probability", *said, *names)


def _asked_for(asked: Asked) -> list[str]:
    """The heading of each thing asked for, none twice: the second of a name has its number."""
    names = [f"with {told(asked, term)}" for term in asked.wanted]
    names += [f"without {told(asked, term)}" for term in asked.unwanted]
    counts: Counter[str] = Counter()
    for place, name in enumerate(names):
        counts[name] += 1
        names[place] = name if counts[name] == 1 else f"{name} ({counts[name]})"
    return [*names, *(["words"] if asked.words else [])]


def _ids(study: Study) -> dict[str, str]:
    return {"study_id": study.study_id, "patient_id": study.patient_id or "", "split": study.split or ""}


def _evidence(study: Study, asked: Asked, asked_for: Sequence[str]) -> dict[str, str]:
    """What is said of each thing asked for, where, and in which words."""
    row: dict[str, str] = {}
    said = evidence(study, asked)
    for name, one in zip(asked_for[: len(said)], said, strict=True):
        start, end = one.span or ("", "")
        row |= {f"{name}: says": one.says, f"{name}: start": str(start), f"{name}: end": str(end)}
        row[f"{name}: text"] = " ".join((one.text or "").split())
    return row


def _facets(study: Study, names: Sequence[str]) -> dict[str, str]:
    own = {"modality": study.modality, "language": study.language}
    own["view"] = " ".join(sorted({view.position or "" for view in study.views} - {""}))
    return {name: study.facets.get(name) or own.get(name) or "" for name in names}


def _findings(studies: Sequence[Study]) -> dict[str, dict[str, int]]:
    """Finding -> studies that state, doubt and deny it, the most stated first."""
    counts: Counter[tuple[str, str]] = Counter()
    for study in studies:
        counts.update(summarise(study.claims).items())
    names = sorted({name for name, _ in counts}, key=lambda name: (-counts[name, "present"], name))
    return {name: {p: counts[name, p] for p in ("present", "uncertain", "absent")} for name in names}


def _counted(values: Sequence[str]) -> dict[str, int]:
    counts = Counter(value or "not said" for value in values)
    if len(counts) > MANY:
        return {"different values": len(counts)}
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
