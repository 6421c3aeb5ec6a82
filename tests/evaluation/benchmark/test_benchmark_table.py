"""The table, from columns made by hand: who is above whom, what was aimed at, what couldn't be done."""

import json
import re

import numpy as np
import pytest

from xemplar.errors import MismatchError, XemplarError
from xemplar.evaluation.benchmark.asked import asked_of, said_columns
from xemplar.evaluation.benchmark.folder import BenchmarkFolder, Sets
from xemplar.evaluation.benchmark.markdown import markdown
from xemplar.evaluation.benchmark.page import rendered
from xemplar.evaluation.benchmark.plan import Against, BenchmarkSettings, Entry, Plan
from xemplar.evaluation.benchmark.publish import publish, read_all
from xemplar.evaluation.benchmark.table import Table

MRR, F1, PRECISION = "image to report MRR", "draft micro-F1", "mean average precision"
SYSTEMS = {"xemplar": 0.8, "xrem": 0.5, "xtra": 0.5, "xemplar: one view": 0.7}
HEADING = (
    "Re-implementations trained from scratch on synthetic drawings. Says nothing about the published "
    "systems' clinical performance or ours."
)


def columns(asked, level, rng):
    """Ranks, drafts and scores that are right about as often as `level` says."""
    truth = asked.truth
    right = rng.random(truth.shape) < level
    stated = np.where(right, truth, ~truth)
    counts = np.stack([stated & truth, stated & ~truth, ~stated & truth], axis=-1).astype(np.int8)
    return said_columns(asked) | {
        MRR: np.clip(level + rng.normal(0, 0.02, len(asked)), 0, 1),
        "draft counts": counts,
        "class linear probe": np.where(truth, level, 0.5) + rng.normal(0, 0.1, truth.shape),
    }


@pytest.fixture(scope="module")
def folder(phantom_corpus, tmp_path_factory):
    folder = BenchmarkFolder(tmp_path_factory.mktemp("benchmark"))
    entries = [
        Entry(name=f"{system.replace(': ', '.').replace(' ', '_')}-{seed}", system=system,
              recipe=system.partition(":")[0], seed=seed, views="frontal" if ":" in system else "all")
        for system in SYSTEMS for seed in (1, 2)
    ]  # fmt: skip
    entries += [Entry(name="floors", system="floors", recipe="floors")]
    entries += [Entry(name="xtra.gone-1", system="xtra: gone", recipe="xtra", seed=1)]
    asks = [Against(question="xemplar: both views", first="xemplar", second="xemplar: one view")]
    plan = Plan(ours="xemplar", recipes=("xrem", "xtra", "xemplar"), entries=entries, ablations=asks)
    place = str(phantom_corpus.folder)
    settings = BenchmarkSettings(replicates=60, seeds=(1, 2), studies=60)
    folder.begin(settings, plan, Sets(learnt=place, asked={"A": place, "B": place}))
    for entry in entries[:-1]:
        _finish(folder, entry)
    folder.fail(entries[-1], "too few studies")
    return folder


def _finish(folder, entry):
    names = ["chance", "linear floor"] if entry.recipe == "floors" else [entry.system]
    systems = {}
    for number, system in enumerate(names):
        for place, asked in enumerate(folder.asked()):
            file = f"{asked.name}.{number}.npz"
            rng = np.random.default_rng([entry.seed, place, number])
            level = SYSTEMS.get(system, 0.2)
            got = columns(asked, level, rng)
            if system == "xtra":  # its own head is worse than the probe
                got["class neighbours' head"] = rng.normal(0, 0.1, asked.truth.shape)
            if system == "xemplar":  # and so is our own way
                got["class combined"] = got["class linear probe"] + rng.normal(0, 0.2, asked.truth.shape)
            folder.save(entry, file, got)
            systems.setdefault(system, {})[asked.name] = file
    step = {"step": "train", "seconds": 3.0, "peak_mb": 100}
    latency = {"studies": 4, "median": 0.02, "p95": 0.03}
    folder.finish(
        entry,
        {"systems": systems, "steps": [step], "notes": {"classification": "not combined"},
         "own_way": {"xtra": "neighbours' head", "xemplar": "combined"}.get(entry.system),
         "model": {"validation": {"mrr": 0.3 + 0.1 * entry.seed, "studies": 12}},
         "asked": {"A": {"filter": None, "latency": latency}}},
    )  # fmt: skip


@pytest.fixture(scope="module")
def predictions(phantom_corpus):
    return {"generator": {study.study_id: "There is a pneumothorax." for study in phantom_corpus.studies}}


@pytest.fixture(scope="module")
def table(folder, predictions):
    return publish(folder, predictions=predictions, command="xemplar benchmark OUT")


def block(table, measure, where="A"):
    return next(one for one in table["scores"] if (one["measure"], one["set"]) == (measure, where))


def row(rows, system):
    return next(one for one in rows if one["system"] == system)


def test_every_system_is_in_the_table_beside_its_floors(table):
    assert table["systems"] == ["xrem", "xtra", "xemplar", "generator", "chance", "linear floor"]


def test_ours_is_held_against_each_other_in_pairs(table):
    found = block(table, MRR)
    less = row(found["differences"], "xrem")
    assert less["seeds"] == [1, 2]
    assert np.mean(less["by_seed"]) == pytest.approx(less["value"], abs=1e-5)
    assert less["value"] == pytest.approx(0.3, abs=0.02)
    assert less["low"] > 0.27
    assert "xemplar" not in [one["system"] for one in found["differences"]]


def test_what_each_seed_gives_stands_beside_the_whole(table):
    found = row(block(table, F1)["rows"], "xemplar")
    assert len(found["by_seed"]) == 2
    assert min(found["by_seed"]) <= found["value"] <= max(found["by_seed"])


def test_a_floor_of_one_seed_is_compared_with_all_of_ours(table):
    less = row(block(table, MRR)["differences"], "linear floor")
    assert less["seeds"] == []
    assert less["low"] > 0
    assert len(less["by_seed"]) == 2


def test_predictions_of_others_are_scored_in_the_same_block(table):
    assert "generator" in [one["system"] for one in block(table, F1)["rows"]]
    assert "generator" not in [one["system"] for one in block(table, MRR)["rows"]]


def test_each_is_classified_by_its_best_way(table):
    assert row(block(table, PRECISION)["rows"], "xrem")["way"] == "linear probe"


def test_having_a_head_lowers_no_other_systems_score(table):
    found = row(block(table, PRECISION)["rows"], "xtra")
    assert found["way"] == "linear probe"
    head = next(
        one for one in table["classification"] if (one["system"], one["way"]) == ("xtra", "neighbours' head")
    )
    assert head["scores"][PRECISION]["value"] < found["value"]


def test_ours_is_held_to_its_own_way_though_another_does_better(table):
    ours = [one for one in table["classification"] if (one["system"], one["set"]) == ("xemplar", "A")]
    values = {one["way"]: one["scores"][PRECISION]["value"] for one in ours}
    assert values["linear probe"] > values["combined"]
    assert row(block(table, PRECISION)["rows"], "xemplar")["way"] == "combined"


def test_an_aim_names_the_ways_it_is_of(table):
    aim = next(one for one in table["aims"] if one["measure"] == PRECISION)
    assert aim["ways"] == ["combined", "linear probe"]
    assert f"{PRECISION} (combined against linear probe)" in markdown(table)


def test_what_rests_on_one_training_says_so(table):
    assert "2 of 2 trainings" in markdown(table)
    one = {**table["aims"][0], "seeds_above": 1, "seeds": 1}
    assert "1 of one training" in markdown({**table, "aims": [one]})


def test_an_ablation_of_one_seed_rests_on_one_training(folder):
    table = Table(folder)
    for held in table.sets.values():
        del held.runs["xemplar: one view"][2]
    page = markdown(table.json())
    lines = [line for line in page.splitlines() if line.startswith("| xemplar: both views")]
    assert lines
    assert all(line.endswith("| one training |") for line in lines)


def test_validation_stands_beside_chance(table):
    first = next(one for one in table["validation"] if one["entry"] == "xrem-1")
    assert first["chance"] == pytest.approx(np.mean([1 / rank for rank in range(1, 13)]))
    assert {one["seed"]: one["learnt"] for one in table["validation"]} == {1: True, 2: True, 0: False}
    assert "**did not learn**" in markdown(table)


def test_what_did_not_learn_stands_right_after_the_aims(table, folder):
    heads = [line for line in markdown(table).splitlines() if line.startswith("## ")]
    assert heads[:3] == ["## What was aimed at", "## Validation", "## Retrieval"]
    page = (folder.path / "benchmark.html").read_text()
    sections = re.findall(r'<section id="(\w+)">', page)
    assert sections[:3] == ["aims", "validation", "scores"]


WHY = "not calibrated: too few patients"


@pytest.mark.parametrize("others", [True, False], ids=["other aims", "no other aim"])
def test_drafts_that_nothing_is_aimed_at_for_want_of_calibration_are_told(table, others):
    left = [aim for aim in table["aims"] if others and aim["measure"] != F1]
    changed = {**table, "aims": left, "notes": {"xemplar-1": {"drafts": WHY}}}
    told = f"No aim is of xemplar's drafts, which it didn't make: {WHY} (see What couldn't be done)."
    aimed = markdown(changed).partition("## What was aimed at\n")[2].partition("\n## ")[0]
    assert told in aimed
    assert ("| aim |" in aimed) == others
    html = rendered(changed, {}).partition('<section id="aims">')[2].partition("</section>")[0]
    assert told.replace("'", "&#39;") in html
    assert ("<table>" in html) == others


def test_drafts_that_were_aimed_at_are_not_told_as_missing(table):
    assert "No aim is of" not in markdown({**table, "notes": {"xemplar-2": {"drafts": WHY}}})


def test_latency_is_said_to_be_taken_beside_other_work(table, folder):
    for page in (markdown(table), (folder.path / "benchmark.html").read_text()):
        assert "while another entry may be training on the other core" in page


def test_truth_is_said_to_serve_for_scores_alone(table, folder):
    for page in (markdown(table), (folder.path / "benchmark.html").read_text()):
        assert "Truth is used for scores alone" in page


@pytest.mark.parametrize("name", ["xrem", "xemplar-1", "xemplar: one view", "chance", "BM25", "linear floor",
                                  "floors", "xtra: new", "txtrayalign"])  # fmt: skip
def test_predictions_that_would_hide_a_system_are_refused(folder, name, tmp_path):
    with pytest.raises(XemplarError, match=f"predictions named '{name}'"):
        Table(folder, {name: {}})
    with pytest.raises(XemplarError, match=f"predictions named '{name}'"):
        read_all(folder, {name: tmp_path / "none"})


def test_how_many_studies_were_predicted_is_told(folder, predictions):
    some = dict(list(predictions["generator"].items()))
    asked = folder.asked()[0]
    some.pop(asked.studies[0].study_id)
    page = markdown(Table(folder, {"generator": some}).json())
    assert f"generator: {len(asked) - 1} of {len(asked)} studies predicted" in page


def test_an_aim_is_reached_where_its_interval_is_clear_of_zero(table):
    aims = {(one["aim"], one["set"], one["measure"]): one for one in table["aims"]}
    one = aims["xemplar above xrem", "B", MRR]
    assert one["reached"]
    assert one["low"] > 0
    assert (one["seeds_above"], one["seeds"]) == (2, 2)
    assert aims["xemplar above linear floor", "A", MRR]["reached"]


def test_a_comparison_that_is_lost_stays_in(folder, predictions):
    table = Table(folder, predictions)
    plan = folder.plan().model_copy(update={"ours": "xrem"})
    table.plan = plan
    lost = row(next(one for one in table.scores() if one["measure"] == MRR)["differences"], "xemplar")
    assert lost["high"] < 0


def test_one_view_is_held_against_both_only_where_there_are_two(table, phantom_corpus):
    found = next(one for one in table["ablations"] if one["set"] == "A")
    asked = asked_of("A", phantom_corpus)
    two = {study.facets["cluster"] for study in asked.studies if len(study.views) > 1}
    assert {one["difference"]["clusters"] for one in found["rows"]} == {len(two)}
    assert len(two) < len(set(asked.clusters.tolist()))


def test_what_failed_is_told(table):
    assert table["failed"] == {"xtra.gone-1": "too few studies"}
    assert "xtra.gone-1: too few studies" in markdown(table)


def test_the_table_is_json_without_nan(table, folder):
    text = (folder.path / "table.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == table


def test_the_pages_are_headed_by_what_they_say_nothing_about(table, folder):
    assert table["heading"] == HEADING
    assert markdown(table).splitlines()[:3] == ["# Benchmark", "", f"**{HEADING}**"]
    assert HEADING.replace("'", "&#39;") in (folder.path / "benchmark.html").read_text()


def test_the_page_needs_nothing_from_outside(table, folder):
    page = (folder.path / "benchmark.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.count("data:image/png;base64,") == 2 * len(list((folder.path / "plots").glob("*-dark.png")))


def test_plots_say_in_words_what_they_show(table, folder):
    page = (folder.path / "benchmark.html").read_text()
    value = row(block(table, MRR)["rows"], "xrem")["value"]
    assert f"Scores on A. image to report MRR: xrem {value:.3f}" in page


def test_costs_are_means_over_seeds(table):
    found = row(table["costs"], "xrem")
    assert (found["train_seconds"], found["draft_median_ms"]) == (3.0, 20.0)


def test_results_of_other_studies_are_refused(folder):
    entry = folder.plan().of("xrem")[0]
    held = folder.columns(entry, "A.0.npz")
    held["study_id"] = held["study_id"][::-1]
    folder.save(entry, "A.0.npz", held)
    with pytest.raises(MismatchError, match="asked about other studies"):
        Table(folder)
    held["study_id"] = held["study_id"][::-1]
    folder.save(entry, "A.0.npz", held)
