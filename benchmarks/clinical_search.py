"""Frozen searches over the Indiana collection's reports, by human labels: what reading a query adds.

Three lists of sixty, with what answers each. The first (tests/search_queries.toml) was fixed before any of it
was read by a program; the second and the third (search_queries_second.toml, search_queries_third.toml) were
each written by somebody who hadn't seen how a search is read. Weights and cut-off are fitted (`--fit`) on the
first's searches of odd places and the second, over the tuning half of the reports (`labeler_halves.py`)
alone; every score is of the other half, and what is held back are the first's even places and the third.

Beside it BM25 of the whole query (bm25s, words as the index has them), the cosine of LSA (TF-IDF and a
truncated SVD of 200 dimensions of the very reports that are searched: "vectors alone", as no text encoder of
clinical English comes with the package), and the cosine of TF-IDF. Ours is the product's own search.
Intervals resample searches (within their kind) and reports, of which a patient has one here, both at once.
recall@R is the share of the R right reports that stand in the first R. The time is that of whole searches of
100,000 reports, drawn from these.

Usage: XEMPLAR_DATA=... OMP_NUM_THREADS=1 python benchmarks/clinical_search.py [--fit] [--page-only]
       [--out docs/results/clinical_search.json] [--page docs/clinical_search.md]
"""

import argparse
import csv
import json
import os
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import bm25s
import numpy as np
from labeler_halves import half_of, indexed_reports
from machine import machine
from publish import marked, spread
from scipy.stats import beta

from xemplar.evaluation.benchmark.cells import rows_of
from xemplar.findings import lexicon_version, read_claims
from xemplar.index import Items, tokens_of
from xemplar.metrics.ranking import per_query
from xemplar.records import Sentence, Study
from xemplar.report import sentences, text_key
from xemplar.retrieval import Finder, Retriever, read_query
from xemplar.retrieval import worth as weighing
from xemplar.retrieval.by_sentences import SentenceTable

QUERIES = Path(__file__).parents[1] / "tests" / "search_queries.toml"
SECOND = QUERIES.with_name("search_queries_second.toml")
THIRD = QUERIES.with_name("search_queries_third.toml")
WORTH = Path(weighing.__file__).with_name("worth.toml")
KINDS = ("plain", "negated", "compound")
OURS, BM25, LSA, TFIDF = "query read", "BM25", "vectors alone (LSA)", "TF-IDF cosine"
MEASURES = ("precision@20", "recall@R", "recall@100")
PRECISION, CONFIDENCE, FEWEST, LEAST = 0.9, 0.9, 100, 5
FOLDS, STRENGTH = 15, 10.0
BOUNDS = {"stated": (1.0, None), "met": (2.0, None), "likeness": (0.0, 3.0), "denied": (0.5, None),
          "doubted": (None, 0.0)}  # fmt: skip
"""Of weights that labels alone would set otherwise, as they know no silence and no doubt: who meets all that
is wanted stands above who doubts it, however alike in words; a plain denial ranks above silence, which ranks
above doubt. Of others none is below 0."""
REPLICATES, LARGE, BAR_MS = 1000, 100_000, 100
CUT_OFFS = ("third list", "first list, held back", "first list, fitted on", "second list, fitted on")
TABLES = (
    ("third", "kinds", "The third sixty, held back"),
    ("tables", "held_back", "The thirty of the first list that are held back"),
    ("tables", "kinds", "The first sixty"),
    ("second", "kinds", "The second sixty, fitted on with other reports"),
)


class Reports:
    """Texts, human labels and codes of one half of the reports that were coded."""

    def __init__(self, folder: Path, half: str) -> None:
        rows = indexed_reports(folder)
        with (folder / "labels_gold14.csv").open(newline="", encoding="utf-8") as file:
            self.gold = {row["uid"]: row for row in csv.DictReader(file)}
        self.uids = [
            uid
            for uid, row in rows.items()
            if uid in self.gold and half_of(row["findings"], row["impression"]) == half
        ]
        self.codes = {
            uid: [
                [part.strip() for part in code.split("/")] for code in rows[uid]["MeSH"].casefold().split(";")
            ]
            for uid in self.uids
        }
        self.studies = [
            Study(
                study_id=uid,
                patient_id=uid,
                domain="clinical",
                findings=rows[uid]["findings"] or None,
                impression=rows[uid]["impression"] or None,
            )
            for uid in self.uids
        ]
        self.texts = [" ".join(study.text.split()) for study in self.studies]

    def right(self, query: dict) -> list[bool]:
        """Which reports answer a search."""
        return [all(self._meets(one, uid) for one in query["right"]) for uid in self.uids]

    def _meets(self, condition: str, uid: str) -> bool:
        told = condition.removeprefix("not ")
        return any(self._has(one.strip(), uid) for one in told.split(" or ")) == (told == condition)

    def _has(self, alternative: str, uid: str) -> bool:
        if alternative.startswith("gold: "):
            return self.gold[uid][alternative.removeprefix("gold: ")] == "1"
        heading, *qualifiers = alternative.casefold().split("/")
        return any(
            code[0] == heading and all(set(one.split("|")) & set(code[1:]) for one in qualifiers)
            for code in self.codes[uid]
        )

    def sentences(self) -> list[Sentence]:
        """Each distinct one with its studies, as a corpus has them."""
        found: dict[str, tuple[str, dict[str, None]]] = {}
        for study in self.studies:
            for part in (study.findings, study.impression):
                for text in sentences(part or ""):
                    found.setdefault(text_key(text), (text, {}))[1][study.study_id] = None
        return [Sentence(key, text, tuple(ids), read_claims(text)) for key, (text, ids) in found.items()]


def queries(place: Path = QUERIES) -> list[dict]:
    """The searches of a list; `fit` says which may be fitted on: odd places of the first, and the second."""
    asked = tomllib.loads(place.read_text(encoding="utf-8"))["query"]
    for kind in KINDS:
        for number, one in enumerate(query for query in asked if query["kind"] == kind):
            one["fit"] = place == SECOND or (place == QUERIES and number % 2 == 0)
    return asked


# --- systems ---


class Words:
    """BM25 as an index has it."""

    def __init__(self, texts: list[str]) -> None:
        tokens = tokens_of(texts)
        vocabulary = {token: n for n, token in enumerate(dict.fromkeys(t for text in tokens for t in text))}
        self.bm25, self.count = bm25s.BM25(backend="numpy"), len(texts)
        self.bm25.index(
            ([[vocabulary[token] for token in text] for text in tokens], vocabulary), show_progress=False
        )

    def __call__(self, query: str) -> np.ndarray:
        """(texts,) scores."""
        tokens = tokens_of([query])[0] if query else []
        return self.bm25.get_scores(tokens) if tokens else np.zeros(self.count, np.float32)


class Lsa:
    """TF-IDF and a truncated SVD of the texts given, as an encoder of texts."""

    fingerprint, preview, domain = "lsa", None, "clinical"

    def __init__(self, texts: list[str], dimensions: int = 200) -> None:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.words = TfidfVectorizer(sublinear_tf=True)
        self.svd = TruncatedSVD(dimensions, random_state=0).fit(self.words.fit_transform(texts))

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """(texts, dimensions) unit rows; texts without a known word have one row in common."""
        made = self.svd.transform(self.words.transform(texts))
        made[~made.any(axis=1), -1] = 1.0
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def weighed(reports: Reports, asked: list[dict]) -> list:
    """What each report says of each search, as the product weighs it; None for what is searched by words."""
    table, words = SentenceTable(reports.sentences(), reports.uids), Words(reports.texts)
    found = []
    for query in asked:
        reading = read_query(query["text"])
        reads = reading.how == "claims"
        found.append(weighing.weigh(table, reading, words(reading.ranked)) if reads else None)
    return found


def runs_of(reports: Reports, asked: list[dict]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(searches, reports) of each system; and of ours the probabilities, NaN where there is none."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [query["text"] for query in asked]
    words, lsa = Words(reports.texts), Lsa(reports.texts)
    vectors, table = lsa.encode_texts(reports.texts), TfidfVectorizer()
    by_text = table.fit_transform(reports.texts)
    runs = {
        BM25: np.stack([words(text) for text in texts]).astype(float),
        LSA: (lsa.encode_texts(texts) @ vectors.T).astype(float),
        TFIDF: (table.transform(texts) @ by_text.T).toarray(),
    }
    ours, chances = np.full(runs[BM25].shape, -np.inf), np.full(runs[BM25].shape, np.nan)
    finder = finder_of(reports.studies, reports.sentences(), vectors, lsa)
    place_of = {uid: place for place, uid in enumerate(reports.uids)}
    for row, text in enumerate(texts):
        answer = finder.find(text, len(place_of))
        for rank, one in enumerate(answer.found):
            ours[row, place_of[one.hit.study_ids[0]]] = -rank
        if any(one.probability is not None for one in answer.found):
            chances[row] = 0.0  # of what is left out
            for one in answer.found:
                chances[row, place_of[one.hit.study_ids[0]]] = one.probability
    return {OURS: ours, **runs}, chances


def finder_of(studies: list[Study], held: list[Sentence], vectors: np.ndarray, encoder: Lsa) -> Finder:
    """The product's search over reports, by these vectors."""
    ids = tuple(study.study_id for study in studies)
    words = Words([" ".join(study.text.split()) for study in studies])
    engine = SimpleNamespace(search=lambda one, count: exact(vectors, one, count))
    items = Items("report", ids, tuple((one,) for one in ids), vectors, engine)
    index = SimpleNamespace(items={"report": items}, words=words.bm25)
    corpus = SimpleNamespace(
        by_id={study.study_id: study for study in studies},
        sentences=held,
        folder="reports",
        settings=SimpleNamespace(preview=None, domain="clinical"),
    )
    return Finder(Retriever(corpus, index, encoder))


# --- the fit, on odd places and the tuning half ---


def fit(reports: Reports) -> None:
    """Write the weights, and the cut-off that keeps the promise, into the package."""
    asked = [query for query in (*queries(), *queries(SECOND)) if query["fit"]]
    found = [
        (query, one) for query, one in zip(asked, weighed(reports, asked), strict=True) if one is not None
    ]
    right = np.array([reports.right(query) for query, _ in found])
    parts = np.stack([one.parts for _, one in found])
    out = np.stack([one.asserted for _, one in found])
    every = np.arange(len(found))
    intercept, weights = logistic(parts, right, ~out, every)
    apart = np.zeros(right.shape)
    for fold in range(FOLDS):
        one = logistic(parts, right, ~out, every[every % FOLDS != fold])
        for row in every[every % FOLDS == fold]:
            apart[row] = one[0] + parts[row] @ one[1]
    chances = np.zeros(right.shape)
    for fold in range(FOLDS):
        rest, rows = every[every % FOLDS != fold], every[every % FOLDS == fold]
        at, share = zip(*knots_of(apart[rest][~out[rest]], right[rest][~out[rest]]), strict=True)
        chances[rows] = np.where(out[rows], 0.0, np.interp(apart[rows], at, share))
    knots = knots_of(apart[~out], right[~out])
    cut_off, bound, steps = promised(chances, right)
    lines = [
        "# Written by benchmarks/clinical_search.py --fit: numbers alone, of no report a word.",
        f'fitted_on = "{len(found)} searches, {len(reports.uids)} reports of the tuning half '
        'of the Indiana collection, human labels and codes"',
        f'lexicon = "{lexicon_version()}"',
        f"intercept = {intercept:.4f}",
        "",
        "[weights]",
        *(f'"{name}" = {value:.4f}' for name, value in zip(weighing.PARTS, weights, strict=True)),
        "",
        "[calibration]",
        f"knots = {[[round(at, 3), round(share, 4)] for at, share in knots]}",
        "",
        "[promise]",
        f"precision = {PRECISION}",
        f"confidence = {CONFIDENCE}",
        *(
            []
            if cut_off is None
            else [f"cut_off = {cut_off:.2f}", "# the highest of the cut-offs tried", f"bound = {bound:.3f}"]
        ),
        "",
    ]
    WORTH.write_text("\n".join(lines), encoding="utf-8")
    for step in steps:
        print(step)
    print(WORTH.read_text())


def logistic(
    parts: np.ndarray, right: np.ndarray, kept: np.ndarray, rows: np.ndarray
) -> tuple[float, np.ndarray]:
    """Intercept and weights over the searches `rows`, within BOUNDS.

    A search counts as much as another however many reports answer it; of fewer than LEAST it counts less.
    What is stated is unmentioned, and doubted, and more: its weight is what it adds to theirs.
    """
    from scipy.optimize import minimize

    names = weighing.PARTS
    adding = np.eye(len(names))
    for more, less in (("uncertain", "unmentioned"), ("stated", "unmentioned"), ("stated", "uncertain")):
        adding[names.index(more), names.index(less)] = 1.0
    keep = kept[rows].ravel()
    x = (parts[rows].reshape(-1, len(names)).astype(float) @ adding)[keep]
    y = right[rows].ravel()[keep].astype(float)
    each = np.repeat(1 / np.maximum(right[rows].sum(axis=1), LEAST), right.shape[1])[keep]
    each /= each.mean()

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        scores = values[0] + x @ values[1:]
        errors = each * (1 / (1 + np.exp(-scores)) - y)
        penalty = values[1:] / STRENGTH
        return (
            float(each @ (np.logaddexp(0, scores) - y * scores) + penalty @ values[1:] / 2),
            np.concatenate([[errors.sum()], x.T @ errors + penalty]),
        )

    bounds = [BOUNDS.get(name, (0.0, None)) for name in names]
    start = [-5.0, *(0.0 if low is None else low for low, _ in bounds)]
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(None, None), *bounds]).x
    return float(best[0]), adding @ best[1:]


def knots_of(scores: np.ndarray, right: np.ndarray) -> list[tuple[float, float]]:
    """(score, share of pairs that are right), both rising: isotonic, in blocks of FEWEST pairs or more."""
    from sklearn.isotonic import IsotonicRegression

    order = np.argsort(scores, kind="stable")
    at, hits = scores[order], right[order].astype(float)
    fitted = IsotonicRegression().fit_transform(np.arange(len(at)), hits)
    ends = np.flatnonzero(np.diff(fitted)) + 1
    blocks: list[list[int]] = []
    for block in np.split(np.arange(len(at)), ends):
        if blocks and len(blocks[-1]) < FEWEST:
            blocks[-1] += block.tolist()
        else:
            blocks.append(block.tolist())
    if len(blocks) > 1 and len(blocks[-1]) < FEWEST:
        blocks[-2:] = [blocks[-2] + blocks[-1]]
    inside = [(float(at[block].mean()), float(hits[block].mean())) for block in blocks]
    return [(inside[0][0] - 20.0, 0.0), *inside, (inside[-1][0] + 20.0, 1.0)]


def promised(chances: np.ndarray, right: np.ndarray) -> tuple[float | None, float, list[str]]:
    """The cut-off that keeps PRECISION most surely, of those that keep it in the mean; and how surely.

    How surely is the lower bound of the precision, by the bootstrap of searches and reports together, or by
    Clopper and Pearson, pairs of a search and a report taken as independent, whichever is lower.
    """
    kept, most, steps = None, 0.0, []
    draws = Draws(right.shape, np.zeros(len(right), int))
    for cut in np.round(np.arange(0.97, 0.49, -0.01), 2):
        found = chances >= cut
        count, good = int(found.sum()), int((found & right).sum())
        if count < FEWEST:
            continue
        low = min(
            float(beta.ppf(1 - CONFIDENCE, good, count - good + 1)),
            draws.precision(found, right).low_at(CONFIDENCE),
        )
        steps.append(f"{cut:.2f}: {good} of {count}, {good / count:.3f}, at least {low:.3f}")
        if good >= PRECISION * count and low > most:
            kept, most = float(cut), low
    return kept, most, steps


# --- intervals over searches and reports ---


class Draws:
    """How often each search, within its kind, and each report is drawn in a replicate."""

    def __init__(self, shape: tuple[int, int], kinds: np.ndarray) -> None:
        rng = np.random.default_rng(0)
        self.queries = np.zeros((REPLICATES, shape[0]))
        for kind in np.unique(kinds):
            rows = np.flatnonzero(kinds == kind)
            drawn = rng.integers(0, len(rows), (REPLICATES, len(rows)))
            for one in range(REPLICATES):
                self.queries[one, rows] = np.bincount(drawn[one], minlength=len(rows))
        self.reports = np.stack(
            [np.bincount(rng.integers(0, shape[1], shape[1]), minlength=shape[1]) for _ in range(REPLICATES)]
        ).astype(np.float32)

    def precision(self, found: np.ndarray, right: np.ndarray) -> "Spread":
        """Of all pairs found."""
        total = np.einsum("bq,bq->b", self.queries, self.reports @ found.T.astype(np.float32))
        good = np.einsum("bq,bq->b", self.queries, self.reports @ (found & right).T.astype(np.float32))
        return Spread(float((found & right).sum() / max(1, found.sum())), good / np.maximum(total, 1))

    def measures(self, scores: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
        """(replicates, searches) of each measure, reports resampled; a tie earns nothing."""
        made = {name: np.zeros((REPLICATES, len(scores))) for name in MEASURES}
        for row, (mine, good) in enumerate(zip(scores, right, strict=True)):
            order = np.lexsort((good, -mine))
            weights = self.reports[:, order]
            reached = np.cumsum(weights, axis=1)
            hits = np.cumsum(weights * good[order], axis=1)
            total = hits[:, -1]
            for name, depth in zip(
                MEASURES, (np.full(REPLICATES, 20.0), total, np.full(REPLICATES, 100.0)), strict=True
            ):
                under = depth if name == "precision@20" else np.maximum(total, 1)
                made[name][:, row] = hits_at(reached, hits, depth, good[order]) / under
        return made


def hits_at(reached: np.ndarray, hits: np.ndarray, depth: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Right ones among the first `depth` drawn, of the report drawn at that depth no more than fit."""
    place = (reached < depth[:, None]).sum(axis=1)
    rows, before = np.arange(len(depth)), np.maximum(place - 1, 0)
    early = np.where(place > 0, hits[rows, before], 0.0)
    drawn = np.where(place > 0, reached[rows, before], 0.0)
    return early + (depth - drawn) * good[np.minimum(place, len(good) - 1)]


class Spread:
    """A value and its replicates."""

    def __init__(self, value: float, draws: np.ndarray) -> None:
        self.value, self.draws = value, draws

    def low_at(self, confidence: float) -> float:
        """Its one-sided lower bound."""
        return float(np.quantile(self.draws, 1 - confidence))

    def json(self) -> dict:
        """The value and its interval of 95 %."""
        low, high = np.quantile(self.draws, (0.025, 0.975))
        return {"value": round(self.value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


# --- the tables ---


def measured(scores: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
    names = ("precision@20", "r_precision", "recall@100")
    found = per_query(scores, right, names)
    return {name: found[own] for name, own in zip(MEASURES, names, strict=True)}


def tables(reports: Reports, asked: list[dict]) -> dict:
    """Every kind of search, each system and what ours is above the others; then the cut-off's precision."""
    right = np.array([reports.right(query) for query in asked])
    kinds = np.array([KINDS.index(query["kind"]) for query in asked])
    runs, chances = runs_of(reports, asked)
    draws = Draws(right.shape, kinds)
    values = {name: measured(scores, right) for name, scores in runs.items()}
    drawn = {name: draws.measures(scores, right) for name, scores in runs.items()}
    held = np.array([not query["fit"] for query in asked])
    found = {
        "kinds": {
            kind: table_of(values, drawn, draws, rows=kinds == place) for place, kind in enumerate(KINDS)
        },
        "held_back": {
            kind: table_of(values, drawn, draws, rows=(kinds == place) & held)
            for place, kind in enumerate(KINDS)
            if held.any()
        },
        "cut_off": cut_offs(chances, right, held, kinds),
        "queries": [
            {
                "text": query["text"],
                "kind": query["kind"],
                "fit": query["fit"],
                "right": int(right[row].sum()),
                **{
                    name: {one: round(float(value[row]), 4) for one, value in of.items()}
                    for name, of in values.items()
                },
            }
            for row, query in enumerate(asked)
        ],
    }
    return found


def table_of(values: dict, drawn: dict, draws: Draws, *, rows: np.ndarray) -> dict:
    weights = draws.queries[:, rows]
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1)

    def of(name: str, measure: str) -> Spread:
        return Spread(
            float(values[name][measure][rows].mean()), (drawn[name][measure][:, rows] * weights).sum(axis=1)
        )

    systems: dict = {}
    for name in values:
        systems[name] = {measure: of(name, measure).json() for measure in MEASURES}
        if name != OURS:
            for measure in MEASURES:
                ours, other = of(OURS, measure), of(name, measure)
                gain = Spread(ours.value - other.value, ours.draws - other.draws)
                systems[name][f"ours above, {measure}"] = gain.json()
    return {"searches": int(rows.sum()), "systems": systems}


def cut_offs(chances: np.ndarray, right: np.ndarray, held: np.ndarray, kinds: np.ndarray) -> dict:
    """What the shipped cut-off finds, and how much of it is right."""
    cut = weighing.shipped().cut_off
    if cut is None:
        return {"cut_off": None}
    found = np.nan_to_num(chances) >= cut
    told = {"cut_off": cut, "promised": PRECISION, "confidence": CONFIDENCE}
    for name, rows in (("held back", held), ("fitted on", ~held)):
        if not rows.any():
            continue
        draws = Draws((int(rows.sum()), right.shape[1]), kinds[rows])
        some = found[rows].any(axis=1)
        each = (found & right)[rows].sum(axis=1)[some] / found[rows].sum(axis=1)[some]
        told[name] = {
            "searches": int(rows.sum()),
            "answering": int(some.sum()),
            "pairs": int(found[rows].sum()),
            "recall": round(float((found & right)[rows].sum() / right[rows].sum()), 4),
            "precision": draws.precision(found[rows], right[rows]).json(),
            "mean_over_searches": round(float(each.mean()), 4),
            "searches_below_promise": int((each < PRECISION).sum()),
        }
    edges = np.linspace(0, 1, 11)
    flat, good = (
        chances[held & ~np.isnan(chances).any(axis=1)].ravel(),
        right[held & ~np.isnan(chances).any(axis=1)].ravel(),
    )
    places = np.clip(np.digitize(flat, edges) - 1, 0, 9)
    told["reliability"] = [
        {
            "pairs": int((places == n).sum()),
            "said": round(float(flat[places == n].mean()), 3),
            "right": round(float(good[places == n].mean()), 3),
        }
        for n in range(10)
        if (places == n).any()
    ]
    return told


# --- the time ---


def latency(reports: Reports) -> dict:
    """Milliseconds of whole searches of 100,000 reports, no sentence of which is shared between copies."""
    lsa, rng = Lsa(reports.texts), np.random.default_rng(0)
    of_study: dict[str, list[Sentence]] = {uid: [] for uid in reports.uids}
    for sentence in reports.sentences():
        for uid in sentence.study_ids:
            of_study[uid].append(sentence)
    drawn, held = {}, []
    for n, row in enumerate(rng.integers(0, len(reports.uids), LARGE).tolist()):
        own, name = reports.studies[row], f"{n}"
        drawn[name] = Study(
            study_id=name,
            patient_id=name,
            domain="clinical",
            findings=own.findings,
            impression=own.impression,
        )
        held += [Sentence(f"{n}-{s.sentence_id}", s.text, (name,), s.claims) for s in of_study[own.study_id]]
    vectors = rng.standard_normal((LARGE, 200)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    finder = finder_of(list(drawn.values()), held, vectors, lsa)
    began = time.perf_counter()
    built = finder.table.count
    finder.find("zebra")
    took, wall, own = time.perf_counter() - began, [], []
    for _ in range(3):
        for query in queries():
            start = time.perf_counter(), time.process_time()
            finder.find(query["text"], 10)
            wall.append(1000 * (time.perf_counter() - start[0]))
            own.append(1000 * (time.process_time() - start[1]))
    return {
        "reports": built,
        "sentences": len(held),
        "built_s": round(took, 1),
        "load": round(os.getloadavg()[0], 1),
        "searches": len(wall),
        "bar_ms": BAR_MS,
        "wall_ms": {
            "median": round(float(np.median(wall)), 1),
            "p95": round(float(np.quantile(wall, 0.95)), 1),
        },
        "cpu_ms": {"median": round(float(np.median(own)), 1), "p95": round(float(np.quantile(own, 0.95)), 1)},
    }


def exact(vectors: np.ndarray, one: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    scores = vectors @ one[0]
    best = np.argpartition(-scores, count - 1)[:count]
    best = best[np.argsort(-scores[best], kind="stable")]
    return best[None], scores[best][None]


# --- the page ---


def page(result: dict) -> str:
    """The tables as Markdown."""
    lines = []
    for tables, part, told in TABLES:
        lines += [f"**{told}**, {result['reports']} reports of the half that nothing was fitted on:", ""]
        rows = []
        for kind, table in result[tables][part].items():
            systems = table["systems"]
            for measure in MEASURES:
                cells = [f"{systems[name][measure]['value']:.3f}" for name in (OURS, BM25, LSA, TFIDF)]
                cells += [spread(systems[name][f"ours above, {measure}"]) for name in (BM25, LSA)]
                rows.append([f"{kind}, {table['searches']}", measure, *cells])
        head = ["searches", "measure", OURS, BM25, LSA, TFIDF, "above BM25", "above vectors"]
        lines += rows_of(head, rows)
    cut = {
        **result["tables"]["cut_off"],
        "third list": result["third"]["cut_off"]["held back"],
        "first list, held back": result["tables"]["cut_off"]["held back"],
        "first list, fitted on": result["tables"]["cut_off"]["fitted on"],
        "second list, fitted on": result["second"]["cut_off"]["fitted on"],
        "reliability": result["third"]["cut_off"]["reliability"],
    }
    return "\n".join([*lines, *page_of_cut_off(cut), *page_of_time(result)])


def page_of_cut_off(cut: dict) -> list[str]:
    if cut["cut_off"] is None:
        return ["No cut-off keeps the promise.", ""]
    lines = [
        f"**The cut-off** at probability {cut['cut_off']:.2f}, for a precision of {cut['promised']:.0%}:",
        "",
    ]
    rows = [
        [f"{name}, {one['searches']}", str(one["answering"]), str(one["pairs"]), spread(one["precision"]),
         f"{one['mean_over_searches']:.3f}", str(one["searches_below_promise"]), f"{one['recall']:.3f}"]
        for name in CUT_OFFS
        if (one := cut[name])
    ]  # fmt: skip
    head = ["searches", "answering", "pairs found", "precision [95 %]", "mean over searches",
            f"searches below {cut['promised']:.0%}", "recall"]  # fmt: skip
    lines += rows_of(head, rows)
    lines += ["Reliability on the third list, by tenths of the probability:", ""]
    told = [[str(one["pairs"]), f"{one['said']:.3f}", f"{one['right']:.3f}"] for one in cut["reliability"]]
    return [*lines, *rows_of(["pairs", "said", "right"], told)]


def page_of_time(result: dict) -> list[str]:
    took, where = result["latency"], result["machine"]
    wall, own = took["wall_ms"], took["cpu_ms"]
    return [
        f"A whole search of {took['reports']:,} reports ({took['sentences']:,} sentences) takes "
        f"{own['median']} ms of processor time, 95 % of {took['searches']} under {own['p95']} ms. "
        f"By the clock, beside other work (load {took['load']} on two cores), {wall['median']} and "
        f"{wall['p95']} ms; tables are built in {took['built_s']} s, when an archive is first asked.",
        "",
        f"{where['cores']} cores ({where['cpu']}), load {where['load']}, Python {where['python']}, commit "
        f"{where['commit']}; {REPLICATES} replicates.",
    ]


def main() -> None:
    """Fit; or measure, print and write."""
    wanted = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument(
        "--fit", action="store_true", help="fit on the tuning half, write worth.toml, no more"
    )
    wanted.add_argument("--out", type=Path, default=Path("docs/results/clinical_search.json"))
    wanted.add_argument("--page", type=Path, default=Path("docs/clinical_search.md"))
    wanted.add_argument("--time-only", action="store_true", help="measure the time again, no more")
    wanted.add_argument("--page-only", action="store_true", help="write the page of what was measured")
    given = wanted.parse_args()
    if not given.page_only:
        if os.environ.get("OMP_NUM_THREADS") != "1":
            wanted.error("one core is what is measured: set OMP_NUM_THREADS=1")
        folder = Path(os.environ["XEMPLAR_DATA"]) / "iu_reports"
        if given.fit:
            fit(Reports(folder, "tuning"))
            return
        reports = Reports(folder, "frozen")
        if given.time_only:
            result = json.loads(given.out.read_text(encoding="utf-8"))
            result["latency"] = latency(reports)
        else:
            result = measured_all(reports)
            tell(result["third"]["cut_off"])
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    result = json.loads(given.out.read_text(encoding="utf-8"))
    text = given.page.read_text(encoding="utf-8")
    given.page.write_text(marked(text, "clinical_search", page(result)), encoding="utf-8")


def tell(cut: dict) -> None:
    """Put beside the weights what their promise came to on the third list."""
    one = cut["held back"]
    lines = [
        "[measured]",
        "# Of what reached the cut-off in the third list, as in docs/results/clinical_search.json.",
        f"precision = {one['precision']['value']}",
        f"low = {one['precision']['low']}",
        f"high = {one['precision']['high']}",
        f"mean = {one['mean_over_searches']}",
        f"searches = {one['answering']}",
        f"pairs = {one['pairs']}",
        'domain = "clinical"',
        'where = "the half of the Indiana collection that nothing was fitted on, by human labels and codes"',
        "",
    ]  # fmt: skip
    WORTH.write_text(
        WORTH.read_text("utf-8").split("[measured]")[0].rstrip() + "\n\n" + "\n".join(lines), "utf-8"
    )


def measured_all(reports: Reports) -> dict:
    """Every table, and the time."""
    return {
        "title": "Sixty frozen searches of IU X-Ray reports, by human labels and codes",
        "machine": machine(),
        "domain": "clinical",
        "lexicon": lexicon_version(),
        "reports": len(reports.uids),
        "replicates": REPLICATES,
        "tables": tables(reports, queries()),
        "second": tables(reports, queries(SECOND)),
        "third": tables(reports, queries(THIRD)),
        "latency": latency(reports),
    }


if __name__ == "__main__":
    main()
