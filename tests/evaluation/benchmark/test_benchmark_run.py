"""The benchmark run on a small drawn corpus: entries in processes of their own, and what becomes of each."""

import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from xemplar.errors import XemplarError
from xemplar.evaluation.benchmark.entry import run_entry
from xemplar.evaluation.benchmark.folder import BenchmarkFolder
from xemplar.evaluation.benchmark.plan import BenchmarkSettings, Entry, Plan
from xemplar.evaluation.benchmark.publish import publish
from xemplar.evaluation.benchmark.run import begin, begun, run_entries
from xemplar.evaluation.benchmark.systems import read_model
from xemplar.folders import writing

SMALL = Path(__file__).parents[2] / "small.toml"
SIZES = """
[assembly]
policy = "top"
unit = "report"
count = 1
"""


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    """Two that train in a second: one that quotes the nearest report, one that needs too many patients."""
    place = tmp_path_factory.mktemp("recipes")
    (place / "nearest.toml").write_text(SMALL.read_text() + SIZES)
    (place / "broken.toml").write_text(SMALL.read_text().replace("hidden_size = 16", "hidden_size = 15"))
    return {path.stem: path for path in place.iterdir()}


@pytest.fixture(scope="module")
def folder(phantom_corpus, recipes, tmp_path_factory):
    """One recipe run in this process, its plan written."""
    settings = BenchmarkSettings(recipes=(str(recipes["nearest"]),), seeds=(1,), replicates=40)
    place = tmp_path_factory.mktemp("run")
    folder = begin(place, settings, corpus=phantom_corpus.folder, told=lambda line: None)
    for entry in folder.plan().entries:
        folder.ready(entry)
        run_entry(folder, entry)
    return folder


@pytest.fixture(scope="module")
def entry(folder):
    return folder.plan().of("nearest")[0]


def test_an_entry_leaves_what_each_study_got(folder, entry):
    columns = folder.columns(entry, "test.npz")
    asked = folder.asked()[0]
    assert columns["draft counts"].shape == (*asked.truth.shape, 3)
    assert np.isfinite(columns["image to report MRR"]).all()
    assert {"class kNN label vote", "class zero-shot prompts", "class linear probe"} <= columns.keys()
    assert {"TxtRayAlign corrected@3", "MedCLIP BLEU", "draft BLEU-2"} <= columns.keys()


def test_label_counts_are_those_of_the_quoted_report(folder, entry):
    asked, columns = folder.asked()[0], folder.columns(entry, "test.npz")
    drafts = [json.loads(line) for line in (folder.run(entry) / "drafts.test.jsonl").read_text().splitlines()]
    assert [one["study_id"] for one in drafts] == [study.study_id for study in asked.studies]
    counts = columns["draft counts"]
    assert np.array_equal(counts[..., 0] + counts[..., 2], asked.truth)  # stated or missed: all that is there
    assert not (counts[..., 1].astype(bool) & asked.truth).any()


def test_each_step_has_its_time_and_memory(folder, entry):
    steps = folder.result(entry)["steps"]
    assert [one["step"] for one in steps] == ["open", "train", "index", "asked test"]
    assert all(one["seconds"] >= 0 and one["peak_mb"] > 50 for one in steps)


def test_a_draft_is_timed_from_previews_on(folder, entry):
    latency = folder.result(entry)["asked"]["test"]["latency"]
    assert 0 < latency["median"] <= latency["p95"]


def test_floors_are_asked_about_the_same_studies(folder):
    floors = folder.plan().of("floors")[0]
    files = {name: one["test"] for name, one in folder.result(floors)["systems"].items()}
    assert {"chance", "linear floor", "BM25", "random report", "constant normal report"} == files.keys()
    ids = [study.study_id for study in folder.asked()[0].studies]
    assert all(folder.columns(floors, file)["study_id"].tolist() == ids for file in files.values())


def test_a_result_of_other_settings_is_no_result(folder, entry):
    other = entry.model_copy(update={"values": {**entry.values, "name": "other"}})
    assert folder.result(entry) is not None
    assert folder.result(other) is None


def test_what_is_done_is_not_run_again(folder):
    told = []
    assert run_entries(folder, jobs=2, told=told.append) == {}
    assert told == ["2 of 2 are done already"]


def test_what_is_there_makes_a_table(folder):
    table = publish(folder)
    assert table["failed"] == {}
    assert table["sites"] == []
    assert table["ours"] is None
    assert (folder.path / "benchmark.html").exists()


def test_an_entry_with_anothers_encoder_trains_its_own_head_alone(folder, entry):
    taught = []

    def head(corpus, recipe, place, *, recipe_text):
        taught.append((recipe.name, sorted(path.name for path in place.iterdir()), recipe_text))

    values = {**entry.values, "neighbours": {"pick": "random"}}
    shared = Entry(
        name="shared-1", system="shared", recipe=entry.recipe, seed=1, shares=entry.name, text="# told",
        changes={"neighbours.pick": "random"}, values=values,
    )  # fmt: skip
    plan = folder.plan()
    both = BenchmarkFolder(folder.path)
    both.begin(
        folder.settings(), Plan(**{**plan.model_dump(), "entries": [*plan.entries, shared]}), folder.sets
    )
    both.ready(shared)
    result = run_entry(both, shared, train=head)
    assert [name for name, _, _ in taught] == ["test"]
    assert "weights.safetensors" in taught[0][1]
    assert taught[0][2] == "# told"
    assert result["encoder"] == folder.result(entry)["encoder"]
    assert read_model(both.run(shared) / "model") == read_model(both.run(entry) / "model")
    ours, theirs = (both.columns(one, "test.npz") for one in (shared, entry))
    assert np.array_equal(ours["report to image MRR"], theirs["report to image MRR"])


def test_one_that_fails_is_told_and_stops_only_those_that_need_it(folder, recipes, tmp_path):
    settings = BenchmarkSettings(recipes=(str(recipes["broken"]),), seeds=(1,), replicates=40)
    copytree(folder.runs / "floors", tmp_path / "runs" / "floors")
    folder = begin(tmp_path, settings, corpus=folder.corpus().folder, told=lambda line: None)
    plan, broken = folder.plan(), folder.plan().of("broken")[0]
    shared = broken.model_copy(update={"name": "needs-1", "system": "needs", "shares": broken.name})
    folder.begin(settings, Plan(**{**plan.model_dump(), "entries": [*plan.entries, shared]}), folder.sets)
    folder, told = BenchmarkFolder(tmp_path), []
    failed = run_entries(folder, jobs=2, told=told.append)
    assert failed.keys() == {"broken-1", "needs-1"}
    assert failed["needs-1"] == "the entry whose encoder it takes, broken-1, failed"
    assert told[0] == "1 of 3 are done already"
    assert any("broken-1 FAILED" in line for line in told)
    assert folder.failure(broken) == failed["broken-1"]


def test_an_unknown_recipe_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(XemplarError, match="no recipe"):
        begin(tmp_path / "new", BenchmarkSettings(recipes=("none",)), told=print)
    assert not (tmp_path / "new").exists()


def test_a_folder_without_a_plan_is_refused(tmp_path):
    with pytest.raises(XemplarError, match=r"no plan\.json"):
        BenchmarkFolder(tmp_path).plan()


def test_a_second_run_of_a_folder_is_refused(folder):
    with writing(folder.path), pytest.raises(XemplarError, match="another process is writing here"):
        run_entries(folder, told=print)


def test_a_second_command_leaves_the_plan_of_a_running_one(folder, phantom_corpus):
    plan = (folder.path / "plan.json").read_bytes()
    settings = BenchmarkSettings(seeds=(7,))
    with (
        writing(folder.path),
        pytest.raises(XemplarError, match="another process is writing here"),
        begun(folder.path, settings, corpus=phantom_corpus.folder, told=print),
    ):
        pass
    assert (folder.path / "plan.json").read_bytes() == plan


def test_a_folder_is_held_while_its_entries_run(tmp_path, phantom_corpus):
    settings = BenchmarkSettings(ablations=False)
    with begun(tmp_path, settings, corpus=phantom_corpus.folder, told=lambda line: None) as folder:
        with pytest.raises(XemplarError, match="another process is writing here"):
            begin(tmp_path, settings, corpus=phantom_corpus.folder, told=print)
        assert folder.plan().entries
