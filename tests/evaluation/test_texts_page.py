"""The pages of scored and of compared texts: self-contained, safe to open, and true to what was scored."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape
from outline import Outline
from PIL import Image

from xemplar.errors import XemplarError
from xemplar.evaluation.texts.comparison import Own, parted, tally, write_comparison_page
from xemplar.evaluation.texts.marked import read_text
from xemplar.evaluation.texts.names import titled
from xemplar.evaluation.texts.page import (
    PER_STUDY,
    headlines,
    how_chosen,
    pick_studies,
    probability,
    standing,
    write_texts_page,
)
from xemplar.evaluation.texts.pairs import Pairs, pair_up
from xemplar.evaluation.texts.plots import finding_plot
from xemplar.evaluation.texts.run import (
    TextComparison,
    TextScores,
    TextSettings,
    compare_texts,
    score_texts,
)
from xemplar.findings import Labeler
from xemplar.metrics.labels import PRESENT, UNCERTAIN

SCRIPT = "<script>alert('no')</script> & a & b"
REPORTS = (
    "The heart is enlarged. There is a small left pleural effusion.",
    "The heart is normal in size. The lungs are clear. No pneumothorax.",
    "There is a right lower lobe opacity. Possible pneumonia.",
    "No pleural effusion or pneumothorax. The lungs are clear.",
    "Bibasilar atelectasis. The heart is normal in size.",
    "There is mild pulmonary edema. The heart is enlarged.",
    "A nodule in the left upper lobe. No pleural effusion.",
    "There is an old rib fracture. The lungs are clear.",
)
SETTINGS = TextSettings(section="findings", replicates=25)
FRENCH = "Le coeur est de taille normale et il n'y a pas de pneumothorax dans les poumons."


@dataclass
class Made:
    """Scores and their page."""

    scores: TextScores
    page: Path
    html: str


def _references() -> dict[str, str]:
    found = {f"study {number}": text for number, text in enumerate(REPORTS * 2)}
    found["study 3"] += f" {SCRIPT}"
    return found


def _predictions(shift: int) -> dict[str, str]:
    """Every third text is another study's."""
    texts = list(_references().values())
    return {
        name: texts[(row + shift) % len(texts)] if row % 3 == 0 else text
        for row, (name, text) in enumerate(_references().items())
    }


def _scored(folder: Path, pairs: Pairs, settings: TextSettings, cases: int = 6) -> Made:
    scores = score_texts(pairs, settings, system=f"ours {SCRIPT} $x$")
    page = write_texts_page(scores, folder, cases=cases)
    return Made(scores, page, page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory) -> Made:
    predictions = _predictions(3) | {"nobody's": "The lungs are clear."}
    del predictions["study 0"]
    references = _references() | {"french": FRENCH, "empty": ""}
    return _scored(tmp_path_factory.mktemp("labelled"), pair_up(predictions, references), SETTINGS)


@pytest.fixture(scope="module")
def captions(tmp_path_factory) -> Made:
    settings = replace(SETTINGS, texts="captions", floors=False)
    return _scored(tmp_path_factory.mktemp("captions"), pair_up(_predictions(3), _references()), settings)


@pytest.fixture(scope="module")
def rivals() -> TextComparison:
    first, second = pair_up(_predictions(3), _references()), pair_up(_predictions(5), _references())
    return compare_texts(first, second, SETTINGS, systems=(f"first {SCRIPT}", "second"))


@pytest.fixture(scope="module")
def comparison(rivals, tmp_path_factory) -> str:
    return write_comparison_page(rivals, tmp_path_factory.mktemp("comparison")).read_text(encoding="utf-8")


@pytest.fixture(params=["labelled", "captions", "comparison"])
def html(request) -> str:
    found = request.getfixturevalue(request.param)
    return found if isinstance(found, str) else found.html


def _says(html: str, words: str) -> bool:
    return words in Outline(html).words


# what holds of every page


def test_every_tag_is_closed_where_it_should_be(html):
    assert Outline(html).faults == []


def test_nothing_outside_the_file_is_asked_for(html):
    for tag, attributes in Outline(html).tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base"}
        for name in ("src", "href", "srcset", "action", "poster"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/"))
    assert "url(" not in html
    assert "@import" not in html


def test_texts_and_names_are_shown_and_never_run(html):
    assert SCRIPT not in html
    assert str(escape(SCRIPT)) in html


def test_links_within_the_page_lead_somewhere(html):
    tags = Outline(html).tags
    marks = {attributes["id"] for _, attributes in tags if "id" in attributes}
    assert {a["href"][1:] for tag, a in tags if tag == "a"} <= marks


def test_it_says_that_nothing_is_verified(html):
    assert _says(html, "Research use only. Not for diagnosis.")


# scored texts


def test_every_wording_score_is_printed(labelled):
    text = Outline(labelled.html).text
    for row in labelled.scores.summary["wording"]:
        assert f"{row['ours']['value']:.3f}" in text
        assert titled(row["measure"])[0] in text
        for floor in row["floors"].values():
            assert f"{floor['value']:.3f}" in text


def test_what_was_not_as_expected_is_counted(labelled):
    for words in (
        "1 prediction without a reference: left out",
        "2 references without a prediction: scored as empty texts",
        "1 empty reference: left out",
        "1 reference not in English: it has wording scores and no labels",
    ):
        assert _says(labelled.html.replace("</b><span>", "</b> <span>"), words)


def test_that_nothing_was_left_out_is_said_only_where_it_is_so(labelled, captions):
    assert not _says(labelled.html, "nothing was left out")
    assert _says(captions.html, "nothing was left out")


def test_captions_have_no_labels(captions):
    assert "CheXpert" not in captions.html
    assert all("F1" not in head.name for head in headlines(captions.scores.summary))


def test_the_settings_can_be_read_back_from_the_page(labelled):
    written = re.search(r"settings = (TextSettings\(.*\))", Outline(labelled.html).text)
    assert eval(written[1], {"TextSettings": TextSettings}) == SETTINGS


def test_a_scale_holds_ours_its_interval_and_every_floor(labelled):
    for head in headlines(labelled.scores.summary):
        floors = {name: floor["value"] for name, floor in head.score["floors"].items()}
        ours = {"ours": head.score["ours"]["value"]} | {
            end: head.score["ours"][end] for end in ("low", "high")
        }
        wanted = {name: 100 * value / head.top for name, value in (ours | floors).items()}
        assert head.places == pytest.approx(wanted)


def test_the_main_scores_are_the_agreed_ones(labelled):
    keys = [head.score["measure"].partition("[")[0] for head in headlines(labelled.scores.summary)]
    assert keys == [
        "f1_present_micro_14", "f1_present_macro_14", "f1_present_micro_5", "f1_present_macro_5",
        "BLEU-4", "ROUGE-L", "CIDEr-D", "meteor_es",
    ]  # fmt: skip


def test_a_macro_mean_says_over_how_many_findings_it_is(labelled):
    codes = np.concatenate([table.codes for table in labelled.scores.labels])
    named = int(((codes == PRESENT) | (codes == UNCERTAIN)).any(axis=0).sum())
    assert 0 < named < 14
    told = f"over {named} of 14 findings"
    assert any(head.note.endswith(told) for head in headlines(labelled.scores.summary))
    part = labelled.html.split('<section id="labels">')[1].split("</table>")[0]
    assert part.count(told) == 3  # precision, recall and F1


def test_published_scores_are_shown_only_where_there_are_some(labelled, tmp_path):
    assert "Published scores" not in labelled.html
    board = {
        "name": "a board", "source": "somewhere", "measure": "BLEU-2 (ReXrank)[cxr_report_metric]",
        "note": "a mean", "systems": [["worst", 0.01], ["<best>", 0.99]],
    }  # fmt: skip
    summary = copy.deepcopy(labelled.scores.summary) | {"anchors": [board]}
    html = write_texts_page(replace(labelled.scores, summary=summary), tmp_path, cases=0).read_text()
    assert _says(html, "<best>")
    assert headlines(summary)[-1].score["measure"] == board["measure"]


def test_labels_stand_beside_the_floors_for_the_first_question_alone(labelled):
    part = labelled.html.split("F1 of what is present, beside the floors")[1].split("</table>")[0]
    assert part.count('<th scope="row">') == 12
    assert "uncertain counts as absent" not in part


def test_a_board_puts_ours_and_the_floors_in_their_places(labelled):
    row = next(r for r in labelled.scores.summary["wording"] if r["measure"].startswith("BLEU-2 (ReXrank)"))
    same = row["ours"]["value"]
    board = {"measure": row["measure"], "systems": [["low", 0.0], ["equal", same], ["high", 1.0]]}
    places = standing(board, labelled.scores.summary)
    values = [place.value for place in places]
    assert values == sorted(values, reverse=True)
    names = [place.name for place in places if place.kind != "floor"]
    assert names == ["high", "equal", labelled.scores.summary["system"], "low"]
    assert {place.name for place in places if place.kind == "floor"} == set(row["floors"])


def test_the_same_scores_make_the_same_page(labelled, tmp_path):
    assert write_texts_page(labelled.scores, tmp_path).read_text() == labelled.html


def test_a_place_that_cannot_be_written_is_named(labelled, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(XemplarError, match="cannot be written"):
        write_texts_page(labelled.scores, tmp_path / "file", cases=0)


def test_the_plot_lies_beside_the_page_and_says_what_it_shows(labelled):
    found = sorted(path.name for path in (labelled.page.parent / "plots").iterdir())
    assert found == ["findings-dark.png", "findings.png"]
    for name in found:
        with Image.open(labelled.page.parent / "plots" / name) as picture:
            assert min(picture.size) > 300
    alt = next(a["alt"] for tag, a in Outline(labelled.html).tags if tag == "img")
    row = next(
        r for r in labelled.scores.summary["by finding"] if r["measure"].startswith("f1_present_edema[")
    )
    assert f"Edema {row['ours']['value']:.2f}" in alt


def test_without_labels_there_is_no_plot_of_findings(captions):
    assert finding_plot(captions.scores.summary) is None
    assert list((captions.page.parent / "plots").iterdir()) == []


# which studies are shown


def test_lowest_middle_and_highest_are_shown_by_rule(labelled):
    scores = labelled.scores
    values = np.asarray(scores.per_study[PER_STUDY], np.float64)
    known = [row for row in range(len(values)) if np.isfinite(values[row])]
    known.sort(key=lambda row: (values[row], sha256(scores.pairs.ids[row].encode()).hexdigest()))
    picks = pick_studies(scores, 6)
    assert [pick.row for pick in picks[:2]] == known[:2]
    assert [pick.row for pick in picks[4:]] == known[-2:]
    at = [known.index(pick.row) for pick in picks[2:4]]
    assert abs(sum(at) / 2 - (len(known) - 1) / 2) <= 0.5
    assert [pick.group for pick in picks] == ["lowest"] * 2 + ["middle"] * 2 + ["highest"] * 2


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 1000])
def test_no_study_is_shown_twice_and_a_failure_always(labelled, count):
    picks = pick_studies(labelled.scores, count)
    known = np.isfinite(np.asarray(labelled.scores.per_study[PER_STUDY], np.float64)).sum()
    assert len({pick.row for pick in picks}) == len(picks) == min(count, known)
    assert not picks or picks[0].group == "lowest"


def test_the_shown_studies_and_the_rule_stand_on_the_page(labelled):
    picks = pick_studies(labelled.scores, 6)
    assert _says(labelled.html, " ".join(how_chosen(labelled.scores, picks).split()))
    assert len(re.findall("<article", labelled.html)) == 6
    for pick in picks:
        assert f">{labelled.scores.pairs.ids[pick.row]}</h3>" in labelled.html


def test_captions_are_chosen_by_their_words(captions):
    values = captions.scores.per_study["ROUGE-L[ptb_like]"]
    assert pick_studies(captions.scores, 1)[0].value == values.min()


def test_labels_marked_in_the_texts_are_the_labels_that_were_scored(labelled):
    truth = labelled.scores.labels[1]
    rows = np.flatnonzero(labelled.scores.read)
    labeler = Labeler()
    for place, row in enumerate(rows):
        reading = read_text(labeler, labelled.scores.pairs.references[row])
        said = {name for name in reading.says if name not in reading.implied}
        assert said == {n for n, code in zip(truth.findings, truth.codes[place], strict=True) if code != -2}


@pytest.mark.parametrize(
    ("value", "told"), [(None, "–"), (0.0, "< 0.001"), (0.0004, "< 0.001"), (0.0005, "0.001"), (1.0, "1.000")]
)
def test_a_probability_is_never_nought(value, told):
    assert probability(value) == told


# compared texts


def test_main_scores_of_a_comparison_have_their_differences(rivals, comparison):
    heads = [row for row in rivals.summary["rows"] if row["p_holm"] is not None]
    assert len(heads) == 12
    text = Outline(comparison).text
    for row in heads:
        for system in ("first", "second"):
            assert f"{row[system]['value']:.3f}" in text
        assert f"{abs(row['difference']['value']):.3f}" in text
    told = tally(heads)
    assert told["better"] + told["worse"] + told["not told apart"] == 12


def test_a_difference_is_told_apart_only_where_its_interval_excludes_zero():
    ends = [(0.1, 0.2), (-0.2, -0.1), (-0.1, 0.2), (0.0, 0.2)]
    rows = [
        {"difference": {"value": (low + high) / 2, "low": low, "high": high}, "p_holm": p}
        for (low, high), p in zip(ends, (0.01, 0.05, 0.2, 0.9), strict=True)
    ]
    assert tally(rows) == {"better": 1, "worse": 1, "not told apart": 2, "holm": 1}


def test_the_studies_on_which_two_systems_part_most_are_shown():
    ids = tuple("abcdef")
    first = np.array([1.0, 0.2, 0.5, np.nan, 0.0, 0.9])
    second = np.array([0.0, 0.1, 0.5, 0.9, 0.7, 0.0])
    own = Own("a score", (first, second))
    assert parted(own, ids, 4) == [(0, 0), (5, 0), (4, 1)]
    assert parted(own, ids, 1) == [(0, 0)]
    assert parted(own, ids, 0) == []


def test_studies_that_only_one_of_two_systems_has_are_counted(rivals, comparison, tmp_path):
    found = replace(rivals, summary=rivals.summary | {"left_out": 7})
    told = write_comparison_page(found, tmp_path, cases=0).read_text()
    assert "<b>7</b><span>studies that only one of the two has: left out" in told
    assert not _says(told, "nothing was left out")
    assert _says(comparison, "nothing was left out")


def test_two_systems_that_are_one_part_nowhere(tmp_path):
    pairs = pair_up(_predictions(3), _references())
    settings = replace(SETTINGS, texts="captions")
    found = compare_texts(pairs, pairs, settings, systems=("one", "the same"))
    html = write_comparison_page(found, tmp_path).read_text()
    assert "<article" not in html
    assert _says(html, "both systems got the same on every one")


@pytest.mark.parametrize(
    ("domain", "told"),
    [("synthetic", "These films are drawings."), ("clinical", "as confidential"), (None, "as confidential")],
)
def test_the_page_says_what_follows_from_the_domain(domain, told, tmp_path):
    pairs = pair_up({"a": "Clear lungs.", "b": "Effusion."}, {"a": "Clear lungs.", "b": "Left effusion."})
    scores = score_texts(pairs, TextSettings(replicates=100, floors=False, domain=domain))
    assert told in write_texts_page(scores, tmp_path).read_text(encoding="utf-8")
