"""What a person sees in a terminal: progress on stderr with time left, results as text on stdout.

Knows records and summaries; does no work of its own.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from xemplar.classify import LIMITS, Classification
from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.drafting import how_sure
from xemplar.drafting.calibration import FIRM, Calibration
from xemplar.records import UNVERIFIED, Domain, Draft, Hit

Advance = Callable[[int, int | None, str], None]
"""Called with how much is done, of how much (where that is known anew), and a note."""


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Advance]:
    """A bar on stderr with elapsed time and time left; plain lines where stderr is no terminal."""
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, note="")

        def advance(done: int, whole: int | None = None, note: str = "") -> None:
            if whole is not None:
                bar.update(task, total=whole)
            bar.update(task, completed=done, note=note)

        yield advance


@contextmanager
def stages() -> Iterator[Callable[[str], Advance]]:
    """A bar for each stage that is named, in the order they begin."""
    with ExitStack() as open_bars:

        def named(stage: str) -> Advance:
            advance: list[Advance] = []

            def show(done: int, whole: int | None, note: str) -> None:
                if not advance:  # its bar is shown once it begins; those before it are closed
                    open_bars.close()
                    advance.append(open_bars.enter_context(progress(stage, whole)))
                advance[0](done, whole, note)

            return show

        yield named


def say(text: str) -> None:
    """A line of result on stdout."""
    sys.stdout.write(text + "\n")


def tell(text: str) -> None:
    """A line about the work on stderr."""
    sys.stderr.write(text + "\n")


def say_json(value: object) -> None:
    """A result as JSON on stdout; what is undefined has to be null by now, since JSON has no NaN."""
    say(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def tell_domains(corpus: Domain, model: Domain | None) -> None:
    """On stderr, what follows where either a corpus or the model for it is drawn, and the other is not."""
    if model is not None and (corpus == "synthetic") != (model == "synthetic"):
        tell(f"a {corpus} corpus with a {model} model: to be searched, but it drafts for drawn films alone")


def tell_thin(calibration: Calibration) -> None:
    """On stderr, the findings whose probabilities and thresholds rest on few studies."""
    if thin := calibration.thin:
        counts = ", ".join(f"{name} {count}" for name, count in thin.items())
        rest = f"of {len(thin)} finding{'s' if len(thin) > 1 else ''} rest on fewer than {FIRM} studies each"
        tell(f"thresholds {rest}, so drafts will be unreliable there: {counts}")


def tell_left_out(study_ids: Sequence[str], own: str | None) -> None:
    """On stderr, that an image's `own` study, and its patient's or group's others, are not in the answer."""
    if own in study_ids:
        more = len(study_ids) - 1
        others = f", and {more} more of its patient or group" if more else ""
        tell(f"left out: study {own}, which holds this film{others}")
    elif study_ids:
        count = len(study_ids)
        tell(f"left out: {count} {'study' if count == 1 else 'studies'} of its patient or group")


def show_hits(hits: Sequence[Hit], corpus: Corpus) -> None:
    """Hits as text: rank, score, study, its image's path, and the words."""
    say(f"[{corpus.title}]")
    for rank, hit in enumerate(hits, start=1):
        stages = ", ".join(f"{name} {value:.3f}" for name, value in hit.scores.items())
        study = f"study {hit.study_ids[0]}{_more(hit.study_ids)}"
        say(f"{rank:>3}. {hit.score:.4f}  ({stages})  {study}  {_path(hit, corpus)}")
        if hit.text:
            say(textwrap.indent(textwrap.fill(" ".join(hit.text.split()), 96), "       "))


def show_draft(draft: Draft, corpus: Corpus) -> None:
    """A draft as text: every line with how sure it is and of what, its sources, then all silences."""
    say(f"DRAFT {draft.draft_id}  [{corpus.title}]")
    say(UNVERIFIED + (" Drawn films: no clinical meaning." if draft.domain == "synthetic" else ""))
    if draft.gate is not None:
        say(f"  {draft.gate}")
        show_hits(draft.similar, corpus)
    for line in draft.lines:
        scores = ", ".join(f"{name} {value:.3f}" for name, value in line.scores.items())
        say(f"  {line.text}")
        sources = f"study {line.source_study_ids[0]}{_more(line.source_study_ids)}"
        say(f"      {how_sure(line)}; {scores}; from {sources}")
        if line.text != line.sentence_text:
            say(f"      cut from: {line.sentence_text}")
    if draft.promise is not None:
        say(f"  {draft.promise}")
    for what, note in draft.notes.items():
        say(f"  {what}: {note}")
    findings_by_reason: dict[str, list[str]] = {}
    for finding, why in draft.abstained.items():
        findings_by_reason.setdefault(why, []).append(finding)
    for why, findings in findings_by_reason.items():
        say(f"  silent on {', '.join(findings)}: {why}")


def show_classification(made: Classification, corpus: Corpus) -> None:
    """Findings as a table: probability, what it is called and from where on, who speaks for and against."""
    say(f"FINDINGS  [{corpus.title}]")
    say(made.status + (" Drawn films: no clinical meaning." if made.domain == "synthetic" else ""))
    if made.learnt_from:
        say("  the classifier has learnt from this film's own patient: its probabilities are no test of it")
    if made.gate is not None:
        say(f"  {made.gate}")
        show_hits(made.similar, corpus)
        return
    say(f"  {'finding':<28}{'probability':>11}  {'call':<10} {'absent to':>9} {'present at':>10}  nearest")
    for one in made.findings:
        numbers = [_number(one.probability), one.call or "no call"]
        bars = [_number(one.absent_up_to), _number(one.present_at)]
        near = "; ".join(
            f"{side} {', '.join(f'{spoken.cosine:.3f}' for spoken in who) or 'nobody'}"
            for side, who in (("for", one.speaks_for), ("against", one.speaks_against))
        )
        say(f"  {one.finding:<28}{numbers[0]:>11}  {numbers[1]:<10} {bars[0]:>9} {bars[1]:>10}  {near}")
    for one in made.findings:
        if one.call in ("present", "undecided"):
            say(f"  {one.finding} ({one.call})")
            for side, who in (("for", one.speaks_for), ("against", one.speaks_against)):
                for spoken in who[:1]:
                    say(f"      {side} {spoken.cosine:.3f}, study {spoken.study_id}: {spoken.text}")
    say(f"  {LIMITS}")
    for what, note in made.notes.items():
        say(f"  {what}: {note}")
    why: dict[str, list[str]] = {}
    for one in made.findings:
        if one.call is None:
            why.setdefault(one.why, []).append(one.finding)
    for reason, findings in why.items():
        say(f"  {', '.join(findings)}: {reason}")


def show_scores(summary: Json) -> None:
    """The main scores as a table, each beside its floors and chance."""
    say(f"[{summary['title']}]  split {summary['split']}; intervals resample {summary['resampling']['of']}")
    if copies := summary["left_out"]["near_duplicates"]:
        say(f"{copies} studies left out: a film of theirs, or nearly, is in another split as well")
    for table in summary["retrieval"]["tables"]:
        queries = f"queries {table['subset']} ({table['queries']})"
        say(f"\n{table['direction']}, {queries}, gallery {table['gallery']}")
        _show_rows(table["scores"])
    if summary["drafts"]:
        say(f"\ndrafts ({summary['drafts']['drafts']}) against {summary['drafts']['truth']}")
        _show_rows(summary["drafts"]["scores"] + summary["drafts"]["by_finding"])
        _show_reliability(summary["drafts"]["reliability"])
    if summary["trust"]:
        _show_trust(summary["trust"])
    if summary["words"]:
        words = summary["words"]
        _show_beside(f"words of {words['studies']} drafts", words["scores"])


def show_benchmark(table: Json) -> None:
    """A benchmark's aims and, of each set, every system's scores."""
    say(table["heading"])
    for name, facts in table["sets"].items():
        blocks = [block for block in table["scores"] if block["set"] == name]
        say(f"\n{name}: {facts['title']}")
        for block in blocks:
            say(f"  {block['measure']}")
            for row in block["rows"]:
                way = f" ({row['way']})" if row["way"] else ""
                say(f"    {row['system']:<26} {_interval(_bounds(row))}{way}")
    if table["aims"]:
        say("\naimed at, by the paired interval")
    for aim in table["aims"]:
        word = "reached" if aim["reached"] else "not reached"
        ways = f" ({' against '.join(filter(None, aim['ways']))})" if any(aim["ways"] or ()) else ""
        one = ", one training" if aim["seeds"] == 1 else ""
        say(f"  {aim['aim']}, {aim['measure']}{ways} on {aim['set']}: {_interval(_bounds(aim))} {word}{one}")
    for name, sets in table["predicted"].items():
        for of, count in sets.items():
            say(f"  {name}: {count['predicted']} of {count['studies']} studies of {of} predicted")
    for row in table["validation"]:
        if not row["learnt"]:
            say(f"  {row['entry']} did not learn: MRR {row['mrr']:.3f}, by chance {row['chance']:.3f}")
    for name, why in table["failed"].items():
        say(f"  {name}: {why}")


def show_text_scores(summary: Json) -> None:
    """What scored texts reached: wording, the main label scores, findings; each beside its floors."""
    _show_texts(summary)
    _show_beside("wording", summary["wording"])
    main = [row for row in summary["labels"] if _is_main(row["measure"])]
    if main:
        _show_beside(f"labels of {summary['labels_read']} studies", main)
        _show_beside("each finding", [row for row in summary["by finding"] if _is_main(row["measure"])])
    for board in summary["anchors"]:
        systems = ", ".join(f"{name} {value:.3f}" for name, value in board["systems"])
        say(f"\npublished, {board['measure']} ({board['source']}; {board['note']}): {systems}")


def show_comparison(summary: Json) -> None:
    """Two systems under the headline scores, with the paired difference."""
    _show_texts(summary)
    one, other = summary["systems"]
    say(f"\n{one}, {other}, and the first less the second")
    for row in summary["rows"]:
        if row["p_holm"] is not None:
            values = "   ".join(_interval(row[which]) for which in ("first", "second", "difference"))
            say(f"  {row['measure']:<40} {values}   p {row['p_holm']:.4f} (Holm)")


def _show_beside(title: str, rows: Sequence[Json]) -> None:
    """Scores of texts under their names: ours with its interval, then what each floor reached."""
    floors = list(rows[0]["floors"]) if rows else []
    headings = "".join(f"{_short(floor):>17}" for floor in floors)
    say(f"\n{title:<58}{'ours':>22}{headings}")
    for row in rows:
        if row["ours"]["value"] is not None:
            values = "".join(f"{_number(row['floors'][floor]['value']):>17}" for floor in floors)
            say(f"  {row['measure']:<56}{_interval(row['ours']):>22}{values}")
    if unknown := sum(row["ours"]["value"] is None for row in rows):
        say(f"  {unknown} more undefined: on neither side")


def _short(floor: str) -> str:
    return "ceiling" if "ceiling" in floor else floor.removesuffix(" report")


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _show_texts(summary: Json) -> None:
    unit = summary["resampling"]["of"]
    say(f"[{summary['system']}]  {summary['studies']} studies; intervals resample {unit}")
    for what, count in summary["counted"].items():
        if count and what not in ("predictions", "references", "scored"):
            say(f"  {count} {what}")
    if left := summary.get("labels_left_out"):
        say(f"  {left} references without labels: captions, or not English")


def _is_main(measure: str) -> bool:
    """F1 of what is present, an uncertain one counted as present: micro and macro, or of a finding."""
    kind, _, policy = measure.partition("[")
    return (
        kind.startswith("f1_present_")
        and policy == "uncertain=present]"
        and not kind.startswith(("f1_present_samples", "f1_present_weighted"))
    )


def _show_rows(rows: Sequence[Json]) -> None:
    for row in rows:
        name = row["measure"] + (" (R@k in CLIP papers)" if row["measure"].startswith("success@") else "")
        parts = [f"  {name:<36} {_interval(row['ours'])}"]
        if row["chance"] is not None:
            parts.append(f"chance {row['chance']:.3f}")
        parts += [f"{floor} {_interval(value)}" for floor, value in row["floors"].items()]
        say("   ".join(parts))


def _show_reliability(found: Json | None) -> None:
    if found is None:
        say("  reliability of the probabilities: not known")
        return
    _show_rows([found["brier"]])
    parts = [f"calibration error {_interval(found['expected_calibration_error'])}"]
    for what in ("stated", "denied"):
        share = found[f"wrong_among_{what}"]
        parts.append(f"wrong of {share['claims']} {what} {_interval(share)}")
    say(f"  reliability: {'; '.join(parts)}")


_TOLD = (
    "wrong lines", "wrong stating lines", "drafts that contradict themselves",
    "unsupported findings per draft",
    "wrong sides of those said", "false normals", "recall of findings", "recall of clear findings",
)  # fmt: skip
"""Of the measures of trust, those that a terminal shows."""


def _show_trust(found: Json) -> None:
    """What is wrong in the drafts, in short, and what came of the promise."""
    if found["drift"] and found["drift"]["warns"]:
        say(f"\nWARNING: {found['drift']['sentence']}")
    say(f"\ncan they be trusted? judged by {found['truth']}")
    for row in found["scores"]:
        if row["measure"] in _TOLD or (row["count"] and row["measure"] == "lines without a source"):
            say(f"  {row['measure']:<36} {_interval(_bounds(row['ours']))}   {row['count']} of {row['of']}")
    for name, risk in found["promise"]["risks"].items():
        if risk["asked"] is not None:
            measured = f"promised at most {risk['asked']:g}, measured {_interval(_bounds(risk['measured']))}"
            say(f"  {name.replace('_', ' ')}: {measured}: {risk['verdict']}")


def _bounds(score: Json) -> Json:
    """A value and its interval, without what else is told of them."""
    return {key: score[key] for key in ("value", "low", "high")}


def _interval(value: Json) -> str:
    if None in value.values():
        return "undefined"
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


def _more(study_ids: Sequence[str]) -> str:
    return f" and {len(study_ids) - 1} more" if len(study_ids) > 1 else ""


def _path(hit: Hit, corpus: Corpus) -> str:
    views = corpus.by_id[hit.study_ids[0]].views
    chosen = [view for view in views if view.view_id == hit.view_id] or list(views)
    return chosen[0].path or "" if chosen else ""
