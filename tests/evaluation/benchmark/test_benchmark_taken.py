"""A model taken as it is: its manifests, whichever it has, and what of them a result follows from."""

import json
from types import SimpleNamespace

import pytest

from xemplar.evaluation.benchmark import systems
from xemplar.evaluation.benchmark.folder import BenchmarkFolder, Sets
from xemplar.evaluation.benchmark.plan import BenchmarkSettings, Entry, Plan
from xemplar.evaluation.benchmark.systems import read_model
from xemplar.records import Claim


def written(path, **values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


@pytest.fixture
def taken(tmp_path, phantom_corpus):
    """A benchmark's folder with one model taken, and the model's folder."""
    model = tmp_path / "model"
    written(model / "matcher.json", kind="matcher", version=1)
    entry = Entry(name="theirs", system="theirs", recipe="theirs", model=model)
    folder = BenchmarkFolder(tmp_path / "out")
    place = str(phantom_corpus.folder)
    plan = Plan(ours="xemplar", recipes=(), entries=(entry,))
    folder.begin(BenchmarkSettings(), plan, Sets(learnt=place, asked={"A": place}))
    return folder, entry, model


@pytest.mark.parametrize(
    "name",
    ["model.json", "matcher.json", "config.json", "linear/linear.json", "reranker/matcher.json",
     "neighbours/neighbours.json"],
)  # fmt: skip
def test_any_manifest_of_a_model_changes_where_results_come_from(taken, name):
    folder, entry, model = taken
    before = folder.origin(entry)
    written(model / name, kind="other", files={"weights.safetensors": "other"})
    assert folder.origin(entry) != before


def test_a_model_left_as_it_is_changes_nothing(taken):
    folder, entry, _ = taken
    assert folder.origin(entry) == folder.origin(entry)


def test_a_matchers_manifest_is_read(taken):
    assert read_model(taken[2])["kind"] == "matcher"


def test_an_exported_models_manifest_is_read(tmp_path):
    written(tmp_path / "config.json", model_type="xemplar", xemplar={"kind": "model", "recipe": "r"})
    assert read_model(tmp_path)["recipe"] == "r"


def test_a_foreign_checkpoint_has_no_manifest_of_ours(tmp_path):
    written(tmp_path / "config.json", model_type="bert")
    assert read_model(tmp_path) == {}


def test_nobody_is_calibrated_by_drawn_truth(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(systems, "calibrate", lambda archive, folder, **options: asked.update(options))
    archive, entry = SimpleNamespace(calibration=None), Entry(name="x", system="x", recipe="x")
    systems._calibrated(systems.System(entry, archive, tmp_path, {}))
    claim = Claim("effusion", "present")
    study = SimpleNamespace(labels={"effusion": "absent"}, claims=(claim,))
    assert asked["truth"](study).presence == {"effusion": "present"}
    assert asked["promise"] is None
