"""The evaluation page: one file, self-contained, honest about what it shows, and safe to open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape
from numpy.typing import NDArray
from outline import Outline
from PIL import Image

from drawn_archive import DRAFTED, Stub, by_hand
from xemplar.archive import Archive
from xemplar.contracts import Arrival, Drawable, Written
from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.drafting import how_sure
from xemplar.drafting.truth import held_to
from xemplar.errors import XemplarError
from xemplar.evaluation.cases import judge, judge_line, pick_cases, scored_findings, study_f1, surest_wrong
from xemplar.evaluation.page import write_page
from xemplar.evaluation.plots import draw_plots, rank_curves
from xemplar.evaluation.printed import against, named, number, signed
from xemplar.evaluation.run import Evaluation, evaluate
from xemplar.images import PreviewSpec
from xemplar.index import build_index
from xemplar.records import Claim, Domain, Line, TextKind
from xemplar.sources.phantom import studies

SCRIPT = "<script>alert('no')</script> & a & b"


@dataclass
class Made:
    """An archive, its evaluation and its page."""

    archive: Archive
    evaluation: Evaluation
    page: Path
    html: str


@dataclass(frozen=True)
class Drawn:
    """A film that is drawn already."""

    pixels: NDArray[np.uint8]

    def draw(self) -> NDArray[np.uint8]:
        return self.pixels


def _drawn(film: Path | Drawable | Written) -> Path | Drawable | Written:
    return Drawn(film.draw()) if isinstance(film, Drawable) else film


@cache
def _films() -> tuple[Arrival, ...]:
    """The first film of each of 36 studies, drawn once for all the archives."""
    return tuple(
        replace(
            one,
            study=replace(one.study, views=one.study.views[:1], prior_id=None),
            images=tuple(_drawn(film) for film in one.images[:1]),
        )
        for one in studies(36)
    )


def _arrivals(domain: Domain, texts: TextKind) -> Iterator[Arrival]:
    for arrival in _films():
        study = replace(arrival.study, domain=domain)
        if texts == "captions":
            caption = f"{SCRIPT} {study.study_id}: {study.impression}"
            study = replace(study, impression=caption, findings=None, indication=None, labels={})
        yield replace(arrival, study=study)


def _make(folder: Path, domain: Domain, texts: TextKind, trained_on: Domain) -> Made:
    settings = IngestSettings(
        domain=domain, texts=texts, source="phantom", preview=PreviewSpec(size=64), fractions=(0.6, 0.0, 0.4)
    )
    ingest(_arrivals(domain, texts), folder / "corpus", settings, key_salt=b"page")
    corpus, encoder = Corpus.open(folder / "corpus"), Stub(trained_on)
    archive = Archive(corpus, encoder, build_index(corpus, encoder, folder / "index"))
    if texts == "reports":
        said = {"title": "synthetic", "too_few": {"Edema": 2}}
        calibration = by_hand(archive.index).model_copy(update=said)
        archive = Archive(corpus, encoder, archive.index, calibration=calibration)
    evaluation = evaluate(archive, replicates=40)
    page = write_page(evaluation, archive, folder / "report", cases=6)
    return Made(archive, evaluation, page, page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def drafted(tmp_path_factory) -> Made:
    return _make(tmp_path_factory.mktemp("drafted"), "synthetic", "reports", "synthetic")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Made:
    return _make(tmp_path_factory.mktemp("stopped"), "clinical", "reports", "synthetic")


@pytest.fixture(scope="module")
def captions(tmp_path_factory) -> Made:
    return _make(tmp_path_factory.mktemp("captions"), "figures", "captions", "figures")


@pytest.fixture(params=["drafted", "stopped", "captions"])
def made(request) -> Made:
    return request.getfixturevalue(request.param)


def test_every_tag_is_closed_where_it_should_be(made):
    assert Outline(made.html).faults == []


def test_nothing_outside_the_file_is_asked_for(made):
    for _, attributes in Outline(made.html).tags:
        for name in ("src", "srcset", "href", "action", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/", "#")), (name, value)
    assert not re.search(r"url\(|@import|https?:", made.html)


def test_the_page_has_no_script(made):
    assert "script" not in {tag for tag, _ in Outline(made.html).tags}


def test_the_heading_names_domain_and_patients(made):
    title = made.evaluation.summary["title"]
    assert re.match(r"(synthetic|clinical|figures), \d+ patients, ", title)
    assert f"<h1>{title}</h1>" in made.html


def test_every_page_and_every_draft_on_it_says_that_it_is_unverified(made):
    text = Outline(made.html).text
    assert text.count("Research use only. Not for diagnosis. Unverified draft.") == 2
    assert text.count("Draft, unverified") == len(_picks(made))


def test_a_synthetic_page_says_that_its_films_are_drawn(drafted):
    assert "These films are drawings. Nothing here says anything about clinical ability." in drafted.html


def test_a_page_of_figures_says_so(captions):
    assert "Figures from articles, not clinical films." in captions.html


def test_a_clinical_page_is_as_confidential_as_what_it_holds(stopped):
    text = Outline(stopped.html).text
    assert "holds films and whole reports of patients and is as confidential as they are" in text
    assert "drawings" not in text


def test_a_confidence_says_what_it_is_of(drafted):
    text, seen = Outline(drafted.html).text, set()
    for line in [x for pick in _picks(drafted) for x in drafted.evaluation.drafts[pick.row].lines]:
        assert how_sure(line) in text
        seen |= {claim.presence for claim in line.claims}
    assert seen == {"present", "absent"}
    assert "about side, place, degree and change where a line tells them" in text


def test_every_drafted_line_shows_a_study_that_wrote_it(drafted):
    text = Outline(drafted.html).text
    lines = [line for pick in _picks(drafted) for line in drafted.evaluation.drafts[pick.row].lines]
    assert len(lines) > 5
    for line in lines:
        assert line.sentence_id in text
        assert line.source_study_ids[0] in text


def test_the_quoted_span_is_marked_in_its_sentence(drafted):
    lines = [x for pick in _picks(drafted) for x in drafted.evaluation.drafts[pick.row].lines]
    for line in lines:
        before, after = line.sentence_text[: line.span[0]], line.sentence_text[line.span[1] :]
        marked = f"<blockquote>{escape(before)}<mark>{escape(line.text)}</mark>{escape(after)}</blockquote>"
        assert marked in drafted.html


def test_every_silence_is_shown_with_its_reason(drafted):
    text = Outline(drafted.html).text
    reasons = {why for p in _picks(drafted) for why in drafted.evaluation.drafts[p.row].abstained.values()}
    assert "outside what the archive shows: only 2 calibration studies have it, 8 wanted" in reasons
    assert all(why in text for why in reasons)


def test_the_real_report_of_every_case_is_shown(drafted):
    text = Outline(drafted.html).text
    reports = [drafted.evaluation.studies[pick.row] for pick in _picks(drafted)]
    assert all((study.findings or study.impression) in text for study in reports)


def test_success_is_printed_with_the_name_it_has_elsewhere(made):
    assert "success@10 (R@10 in CLIP papers)" in made.html


def test_a_caption_is_never_markup(captions):
    assert "<script" not in captions.html
    assert SCRIPT in Outline(captions.html).text


def test_a_page_of_captions_has_no_drafts_and_no_truth(captions):
    text = Outline(captions.html).text
    assert "its own caption ranks" in text
    assert 'id="drafts"' not in captions.html
    assert "F1" not in text


def test_captions_come_with_the_figures_they_were_written_of(captions):
    for pick in _picks(captions):
        for line in captions.evaluation.drafts[pick.row].lines:
            assert f"cosine {line.scores['vectors']:.3f}" in captions.html
            assert line.source_study_ids[0] in captions.html


def test_drafts_stopped_at_the_gate_say_why(stopped):
    assert {draft.gate for draft in stopped.evaluation.drafts} != {None}
    assert "no draft: this archive is drawn, not clinical" in Outline(stopped.html).text


def test_no_cases_can_be_asked_for(drafted, tmp_path):
    html = write_page(drafted.evaluation, drafted.archive, tmp_path, cases=0).read_text()
    assert "<article" not in html


def test_the_same_evaluation_makes_the_same_page(drafted, tmp_path):
    assert write_page(drafted.evaluation, drafted.archive, tmp_path, cases=6).read_text() == drafted.html


def test_a_place_that_cannot_be_written_is_named(drafted, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(XemplarError, match="cannot be written"):
        write_page(drafted.evaluation, drafted.archive, tmp_path / "file")


def test_the_plots_lie_beside_the_page(drafted):
    found = sorted(path.name for path in (drafted.page.parent / "plots").iterdir())
    names = ("findings", "ranks", "reliability", "risk-findings", "risk-lines")
    assert found == [f"{name}{paper}.png" for name in names for paper in ("-dark", "")]
    for name in found:
        with Image.open(drafted.page.parent / "plots" / name) as picture:
            assert min(picture.size) > 300


def test_plots_say_what_they_show_to_those_who_cannot_see_them(drafted):
    for plot in draw_plots(drafted.evaluation):
        assert re.search(r"\d\.\d\d", plot.alt)
        assert f'alt="{plot.alt}"' in drafted.html


def test_the_rank_curve_is_the_share_of_ranks_within_k(drafted):
    curve = next(curve for curve in rank_curves(drafted.evaluation) if curve.name == "ours")
    ranks = drafted.evaluation.per_study["rank image to text, ours"].tolist()
    for depth, value in zip(curve.depths.tolist(), curve.values.tolist(), strict=True):
        assert value == pytest.approx(sum(rank <= depth for rank in ranks) / len(ranks))


def test_the_rank_curve_agrees_with_the_table(drafted):
    scores = {s["measure"]: s for s in drafted.evaluation.summary["retrieval"]["tables"][0]["scores"]}
    for curve in rank_curves(drafted.evaluation):
        at = curve.values[curve.depths.tolist().index(5)]
        row = scores["success@5"]
        wanted = {"ours": row["ours"]["value"], "exact chance": row["chance"]}
        wanted |= {name: floor["value"] for name, floor in row["floors"].items()}
        assert at == pytest.approx(wanted[curve.name])


def test_the_page_says_whether_the_probabilities_hold(drafted):
    found, text = drafted.evaluation.summary["drafts"]["reliability"], Outline(drafted.html).text
    assert "Do the probabilities hold?" in text and "prevalence at calibration" in text
    assert f"Of {found['wrong_among_stated']['claims']} stated findings" in text
    (plot,) = [plot for plot in draw_plots(drafted.evaluation) if plot.name == "reliability"]
    assert all(f"there {row['observed']['value']:.2f} of {row['n']}" in plot.alt for row in found["bins"])


def test_probabilities_that_no_draft_used_are_not_judged(stopped):
    assert "Not known: too few drafts passed the gate" in Outline(stopped.html).text


def test_a_single_case_is_a_failure(drafted):
    (pick,) = pick_cases(drafted.evaluation, 1)
    values = [
        study_f1(draft, study, DRAFTED)
        for draft, study in zip(drafted.evaluation.drafts, drafted.evaluation.studies, strict=True)
        if "present" in study.labels.values()
    ]
    assert (pick.group, pick.f1) == ("worst", min(values))


def test_cases_hold_a_normal_study(drafted):
    normal = [pick for pick in _picks(drafted) if pick.group == "normal"]
    assert normal
    assert all("present" not in drafted.evaluation.studies[p.row].labels.values() for p in normal)


def test_no_study_is_a_case_twice(drafted):
    rows = [pick.row for pick in pick_cases(drafted.evaluation, 100)]
    assert sorted(rows) == list(range(len(drafted.evaluation.studies)))


def test_judged_findings_add_up_to_the_f1(drafted):
    scored = scored_findings(drafted.evaluation)
    for draft, study in zip(drafted.evaluation.drafts, drafted.evaluation.studies, strict=True):
        marks = [row.mark for row in judge(draft, study, scored).rows]
        both = [row for row in judge(draft, study, scored).rows if row.verdict == "found"]
        total = 2 * len(both) + marks.count("miss")
        assert study_f1(draft, study, scored) == (1.0 if not total else 2 * len(both) / total)


@pytest.mark.parametrize(
    ("low", "value", "high", "measure", "sign"),
    [
        (0.1, 0.2, 0.3, "MRR", "▲"),
        (-0.3, -0.2, -0.1, "MRR", "▼"),
        (-0.1, 0.2, 0.3, "MRR", "="),
        (0.0, 0.2, 0.3, "MRR", "="),
        (-9.0, -5.0, -1.0, "median rank", "▲"),
        (1.0, 5.0, 9.0, "median rank", "▼"),
        (-0.3, -0.2, -0.1, "Brier score", "▲"),
        (None, 0.0, None, "MRR", "="),
        (None, None, None, "MRR", "="),
    ],
)
def test_better_is_said_only_where_the_interval_excludes_zero(low, value, high, measure, sign):
    assert against({"low": low, "value": value, "high": high}, measure)[1] == sign


@pytest.mark.parametrize(
    ("value", "measure", "text"),
    [
        (0.12345, "MRR", "0.123"),
        (1234.5, "median rank", "1,234.5"),
        (16.0, "median rank", "16"),
        (None, "MRR", "–"),
    ],
)
def test_numbers_are_printed_as_their_measure_asks(value, measure, text):
    assert number(value, measure) == text


def test_a_difference_carries_its_sign():
    assert (signed(-0.5), signed(0.25), signed(None)) == ("−0.500", "+0.250", "–")


def test_other_measures_keep_their_name():
    assert named("MRR") == "MRR"


def _picks(made: Made):
    return pick_cases(made.evaluation, 6)


def test_trust_is_shown_with_every_measure_and_both_curves(drafted):
    section = drafted.html.partition('<section id="trust">')[2].partition("</section>")[0]
    for row in drafted.evaluation.summary["trust"]["scores"]:
        assert str(escape(row["measure"].capitalize())) in section
    assert section.count("Area under the curve") == 2
    assert {"risk-lines", "risk-findings"} <= {
        path.stem for path in (drafted.page.parent / "plots").iterdir()
    }


def test_the_surest_wrong_lines_are_shown_surest_first_one_a_study(drafted):
    found = surest_wrong(drafted.evaluation, 6)
    sure = [line.confidence for _, line in found]
    assert found and sure == sorted(sure, reverse=True)
    assert len({row for row, _ in found}) == len(found)
    for row, line in found:
        assert held_to(drafted.evaluation.studies[row]).wrong(line)
        assert str(escape(line.text)) in drafted.html


def test_a_line_on_the_wrong_side_is_told_so(drafted):
    study = next(one for one in drafted.evaluation.studies if held_to(one).sides.get("Pleural Effusion"))
    affected = held_to(study).sides["Pleural Effusion"]
    if affected == {"left", "right"}:
        study = replace(study, facets={"effusion_left": "small"})
    side = "left" if affected == {"right"} else "right"
    claim = Claim("Pleural Effusion", "present", side=side)
    line = Line("Fluid.", "f", "Fluid.", (0, 6), ("s",), (claim,))
    mark, words = judge_line(line, study, ["Pleural Effusion"])
    assert mark == "miss" and "but on the" in words


def test_films_unlike_those_calibrated_on_are_warned_of_at_the_top(drafted, tmp_path):
    told = {"warns": True, "sentence": "films have moved"}
    trust = {**drafted.evaluation.summary["trust"], "drift": told}
    moved = replace(drafted.evaluation, summary={**drafted.evaluation.summary, "trust": trust})
    page = write_page(moved, drafted.archive, tmp_path, cases=0).read_text(encoding="utf-8")
    assert "Films have moved." in page.partition("<main>")[0]
    assert "Not what was calibrated on" not in drafted.html
