"""The verbs for tables of texts: label reports, score predictions, compare two systems.

None of them needs a corpus or an image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from xemplar.cli.options import Json, one_of

texts_app = typer.Typer()

Id = Annotated[str, typer.Option("--id", help="Column of the ids.")]
Prediction = Annotated[str, typer.Option(help="Column of the predicted texts.")]
Reference = Annotated[str, typer.Option(help="Column of the texts really written.")]
Patient = Annotated[str | None, typer.Option(help="Column that says whose study it is.")]
References = Annotated[Path | None, typer.Option(help="Another table that holds the references, by id.")]
Section = Annotated[str | None, typer.Option(help="What the references are: findings, impression or both.")]
Texts = Annotated[str, typer.Option(help="reports or captions; captions have no labels.")]
Tokeniser = Annotated[str, typer.Option(help="How texts are cut into words.")]
Profile = Annotated[str, typer.Option(help="Of the labeler: default or chexpert.")]
Replicates = Annotated[int, typer.Option(help="Bootstrap replicates.", min=100)]
Seed = Annotated[int, typer.Option(help="Of the bootstrap and of random floors.", min=0)]
Domain = Annotated[str | None, typer.Option(help="What the studies are: clinical, figures or synthetic.")]
Report = Annotated[Path | None, typer.Option("--out", help="Folder for the report, to look at.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """What `score` and `compare` are both asked for: where the texts stand, and how they are scored."""

    key: Id = "id"
    prediction: Prediction = "prediction"
    reference: Reference = "reference"
    patient: Patient = None
    references: References = None
    section: Section = None
    texts: Texts = "reports"
    tokeniser: Tokeniser = "ptb_like"
    profile: Profile = "default"
    replicates: Replicates = 1000
    seed: Seed = 0
    domain: Domain = None


def _spread(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with the options of `_How` in the place of its parameter `how`."""
    shared = list(signature(_How, eval_str=True).parameters.values())
    options: list[Parameter] = []
    for one in signature(verb, eval_str=True).parameters.values():
        options += shared if one.name == "how" else [one]

    @wraps(verb)
    def spread(**given: Any) -> None:  # noqa: ANN401  each option has a type of its own
        how = _How(**{one.name: given.pop(one.name) for one in shared})
        verb(**given, how=how)

    # This signature is what typer reads.
    vars(spread)["__signature__"] = Signature([one.replace(kind=Parameter.KEYWORD_ONLY) for one in options])
    return spread


@texts_app.command()
def label(
    table: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL or Parquet of reports.")],
    out: Annotated[Path, typer.Option("--out", help="CSV to write: 1, 0, -1 or blank.")],
    key: Id = "id",
    text: Annotated[list[str] | None, typer.Option(help="Column of text; again for more, in order.")] = None,
    profile: Profile = "default",
    mentions: Annotated[Path | None, typer.Option(help="JSONL to write every mention into.")] = None,
    as_json: Json = False,
) -> None:
    """Label reports with CheXpert's 14 observations, by rules."""
    from xemplar.evaluation.texts.labelled import ReportColumns, label_table
    from xemplar.terminal import say, say_json, stages, tell

    chosen: Any = one_of(profile, ("default", "chexpert"), "--profile")
    with stages() as named:  # whose bar begins with the first report: a mistake has none
        advance = named("labelling")
        counts = label_table(
            table,
            out,
            columns=ReportColumns(key, tuple(text or ["text"])),
            profile=chosen,
            mentions=mentions,
            on_progress=lambda done: advance(done, None, ""),
        )
    if as_json:
        say_json({"labels": str(out), "profile": profile, **asdict(counts)})
        return
    for count, what in ((counts.without_text, "without text"), (counts.not_english, "not in English")):
        if count:
            tell(f"{count} of {counts.reports} reports {what}: their labels are blank")
    say(f"{out}: {counts.reports} reports, profile {profile}")
    say(f"  {'':<28}{'present':>10}{'uncertain':>11}{'absent':>9}")
    for name, count in counts.present.items():
        say(f"  {name:<28}{count:>10}{counts.uncertain[name]:>11}{counts.absent[name]:>9}")


@texts_app.command()
@_spread
def score(
    table: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL or Parquet of predictions.")],
    how: _How,
    floors: Annotated[bool, typer.Option(help="Floors and a ceiling on the same studies.")] = True,
    out: Report = None,
    as_json: Json = False,
) -> None:
    """Score any system's texts against those really written, with intervals, beside floors."""
    from xemplar.evaluation.texts.folder import make_ready, read_run
    from xemplar.evaluation.texts.run import score_texts
    from xemplar.terminal import tell

    if out is not None:
        make_ready(out, table, how.references)
    run = read_run(table, _columns(how), references=how.references)
    _hint(how.references or table, how.patient)
    found = score_texts(
        run.pairs,
        _settings(how, floors=floors),
        system=run.name,
        on_stage=lambda stage: tell(f"  {stage} ..."),
    )
    _tell_score(found, out, as_json)


@texts_app.command()
@_spread
def compare(
    first: Annotated[Path, typer.Argument(help="A table of predictions, or a report folder.")],
    second: Annotated[Path, typer.Argument(help="Another, on the same studies.")],
    how: _How,
    out: Report = None,
    as_json: Json = False,
) -> None:
    """Compare two systems on the same studies: paired differences, intervals, adjusted p-values."""
    from xemplar.evaluation.texts.comparison import write_comparison_page
    from xemplar.evaluation.texts.folder import agreed, make_ready, names_of, read_run, save_comparison
    from xemplar.evaluation.texts.pairs import aligned
    from xemplar.evaluation.texts.run import compare_texts
    from xemplar.records import RESEARCH_USE
    from xemplar.terminal import say, say_json, show_comparison, tell

    if out is not None:
        make_ready(out, first, second, how.references)
    runs = [read_run(path, _columns(how), references=how.references) for path in (first, second)]
    known: dict[str, Any] = agreed(runs[0], runs[1]) or {}
    one, other, left = aligned(runs[0].pairs, runs[1].pairs)
    if left:
        tell(f"{left} studies that only one of the two has are left out")
    settings = _settings(replace(how, **known), floors=False)
    found = compare_texts(one, other, settings, systems=names_of(first, second), left_out=left)
    if out is not None:
        save_comparison(out, found)
        write_comparison_page(found, out)
    if as_json:
        say_json(found.summary)
    else:
        say(RESEARCH_USE)
        show_comparison(found.summary)
        _tell_page(out)


def _hint(table: Path, patient: str | None) -> None:
    """Point at a column that looks as if it named the patients."""
    from xemplar.evaluation.texts.folder import patient_column
    from xemplar.terminal import tell

    if patient is None and (name := patient_column(table)) is not None:
        tell(f"patients are taken as unknown; to resample patients: --patient {name}")


def _tell_score(found: Any, out: Path | None, as_json: bool) -> None:  # noqa: ANN401  not imported up here
    from xemplar.evaluation.texts.folder import save_texts
    from xemplar.evaluation.texts.page import write_texts_page
    from xemplar.records import RESEARCH_USE
    from xemplar.terminal import say, say_json, show_text_scores

    if out is not None:
        save_texts(out, found.summary, found.pairs, per_study=found.per_study)
        write_texts_page(found, out)
    if as_json:
        say_json(found.summary)
    else:
        say(RESEARCH_USE)
        show_text_scores(found.summary)
        _tell_page(out)


def _tell_page(out: Path | None) -> None:
    from xemplar.terminal import say

    if out is not None:
        say(f"\nlook at {out / 'report.html'}")


def _columns(how: _How) -> Any:  # noqa: ANN401  not imported up here
    from xemplar.evaluation.texts.pairs import Columns

    return Columns(how.key, how.prediction, how.reference, how.patient)


def _settings(how: _How, *, floors: bool) -> Any:  # noqa: ANN401  not imported up here
    from typing import get_args

    from xemplar.evaluation.texts.run import SECTIONS, TextSettings
    from xemplar.metrics.tokenisers import TokeniserName
    from xemplar.records import DOMAINS

    return TextSettings(
        texts=one_of(how.texts, ("reports", "captions"), "--texts"),
        tokeniser=one_of(how.tokeniser, get_args(TokeniserName), "--tokeniser"),
        profile=one_of(how.profile, ("default", "chexpert"), "--profile"),
        section="not said" if how.section is None else one_of(how.section, SECTIONS, "--section"),
        domain=None if how.domain is None else one_of(how.domain, DOMAINS, "--domain"),
        replicates=how.replicates,
        seed=how.seed,
        floors=floors,
    )
