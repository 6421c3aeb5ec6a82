"""The verbs for tables of texts: label reports, score predictions, compare two systems.

None of them needs a corpus or an image.
"""

from __future__ import annotations

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
    from dataclasses import asdict

    from xemplar.evaluation.texts.labelled import ReportColumns, label_table
    from xemplar.terminal import progress, say, say_json, tell

    chosen: Any = one_of(profile, ("default", "chexpert"), "--profile")
    with progress("labelling") as advance:
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
def score(
    table: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL or Parquet of predictions.")],
    key: Id = "id",
    prediction: Prediction = "prediction",
    reference: Reference = "reference",
    patient: Patient = None,
    references: References = None,
    section: Section = None,
    texts: Texts = "reports",
    tokeniser: Tokeniser = "ptb_like",
    profile: Profile = "default",
    replicates: Replicates = 1000,
    seed: Seed = 0,
    domain: Domain = None,
    floors: Annotated[bool, typer.Option(help="Floors and a ceiling on the same studies.")] = True,
    out: Report = None,
    as_json: Json = False,
) -> None:
    """Score any system's texts against those really written, with intervals, beside floors."""
    from xemplar.evaluation.texts.folder import make_ready, read_run
    from xemplar.evaluation.texts.pairs import Columns
    from xemplar.evaluation.texts.run import score_texts
    from xemplar.terminal import tell

    if out is not None:
        make_ready(out, table, references)
    run = read_run(table, Columns(key, prediction, reference, patient), references=references)
    _hint(references or table, patient)
    found = score_texts(
        run.pairs,
        _settings(
            texts=texts,
            tokeniser=tokeniser,
            profile=profile,
            section=section,
            replicates=replicates,
            seed=seed,
            floors=floors,
            domain=domain,
        ),
        system=run.name,
        on_stage=lambda stage: tell(f"  {stage} ..."),
    )
    _tell_score(found, out, as_json)


@texts_app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A table of predictions, or a report folder.")],
    second: Annotated[Path, typer.Argument(help="Another, on the same studies.")],
    key: Id = "id",
    prediction: Prediction = "prediction",
    reference: Reference = "reference",
    patient: Patient = None,
    references: References = None,
    section: Section = None,
    texts: Texts = "reports",
    tokeniser: Tokeniser = "ptb_like",
    profile: Profile = "default",
    replicates: Replicates = 1000,
    seed: Seed = 0,
    domain: Domain = None,
    out: Report = None,
    as_json: Json = False,
) -> None:
    """Compare two systems on the same studies: paired differences, intervals, adjusted p-values."""
    from xemplar.evaluation.texts.comparison import write_comparison_page
    from xemplar.evaluation.texts.folder import agreed, make_ready, names_of, read_run, save_comparison
    from xemplar.evaluation.texts.pairs import Columns, aligned
    from xemplar.evaluation.texts.run import compare_texts
    from xemplar.terminal import say_json, show_comparison, tell

    if out is not None:
        make_ready(out, first, second, references)
    columns = Columns(key, prediction, reference, patient)
    runs = [read_run(path, columns, references=references) for path in (first, second)]
    asked = {"texts": texts, "tokeniser": tokeniser, "profile": profile, "section": section, "domain": domain}
    how: dict[str, Any] = agreed(runs[0], runs[1]) or asked
    one, other, left = aligned(runs[0].pairs, runs[1].pairs)
    if left:
        tell(f"{left} studies that only one of the two has are left out")
    settings = _settings(**how, replicates=replicates, seed=seed)
    found = compare_texts(one, other, settings, systems=names_of(first, second), left_out=left)
    if out is not None:
        save_comparison(out, found)
        write_comparison_page(found, out)
    if as_json:
        say_json(found.summary)
    else:
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
    from xemplar.terminal import say_json, show_text_scores

    if out is not None:
        save_texts(out, found.summary, found.pairs, per_study=found.per_study)
        write_texts_page(found, out)
    if as_json:
        say_json(found.summary)
    else:
        show_text_scores(found.summary)
        _tell_page(out)


def _tell_page(out: Path | None) -> None:
    from xemplar.terminal import say

    if out is not None:
        say(f"\nlook at {out / 'report.html'}")


def _settings(*, texts: str, tokeniser: str, profile: str, section: str | None, **rest: Any) -> Any:  # noqa: ANN401  not imported up here
    from typing import get_args

    from xemplar.evaluation.texts.run import SECTIONS, TextSettings
    from xemplar.metrics.tokenisers import TokeniserName
    from xemplar.records import DOMAINS

    domain = rest["domain"]

    return TextSettings(
        texts=one_of(texts, ("reports", "captions"), "--texts"),
        tokeniser=one_of(tokeniser, get_args(TokeniserName), "--tokeniser"),
        profile=one_of(profile, ("default", "chexpert"), "--profile"),
        section="not said" if section is None else one_of(section, SECTIONS, "--section"),
        domain=None if domain is None else one_of(domain, DOMAINS, "--domain"),
        replicates=rest["replicates"],
        seed=rest["seed"],
        floors=rest.get("floors", False),
    )
