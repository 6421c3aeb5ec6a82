"""A model of ours handed on: the same bit for bit, with a card; and what is said of any model."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file

from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import publish
from xemplar.models.checkpoint import open_model, save_model
from xemplar.models.checkpoints.describe import describe
from xemplar.models.checkpoints.write import export_model
from xemplar.models.linear import save_linear
from xemplar.models.system import open_encoder
from xemplar.training.linear import fit_linear
from xemplar.training.recipe import Linear

FACTS = {
    "domain": "synthetic", "preview_fingerprint": "abc", "recipe": "tiny",
    "trained_on": {"title": "synthetic, 5 patients", "pairs": 5},
    "validation": {"mrr": 0.4321, "epoch": 3, "studies": 7},
}  # fmt: skip
TEXTS = ["Small left pleural effusion.", "", "unheard-of w\u00f6rds 3.5 cm"]


@pytest.fixture
def folder(encoder, tmp_path):
    save_model(tmp_path / "model", encoder.model, encoder.tokenizer, recipe='name = "tiny"', facts=FACTS)
    return tmp_path / "model"


def test_it_opens_bit_for_bit(folder, tmp_path, images):
    export_model(folder, tmp_path / "out")
    ours, theirs = open_model(folder), open_model(tmp_path / "out")
    assert np.array_equal(ours.encode_images(images), theirs.encode_images(images))
    assert np.array_equal(ours.encode_texts(TEXTS), theirs.encode_texts(TEXTS))
    assert ours.fingerprint == theirs.fingerprint
    assert (theirs.domain, theirs.preview) == ("synthetic", "abc")


def test_later_stages_go_with_it(folder, tmp_path, images):
    images = [*images, *(image[::-1] for image in images), *(image[:, ::-1] for image in images)] * 4
    texts = ["effusion on the left", "no effusion", "clear lungs", "opacity on the left"]
    many = [texts[place % 4] for place in range(len(images))]
    patients = [f"p{place // 2}" for place in range(len(images))]
    space, _ = fit_linear(images, many, patients, settings=Linear(dimensions=3))
    encoder = open_model(folder)
    save_linear(folder / "linear", space, facts={"weight": 0.5, "encoder": encoder.fingerprint})
    export_model(folder, tmp_path / "out")
    assert "| trained after it | linear |" in (tmp_path / "out/README.md").read_text()
    ours, theirs = open_encoder(folder), open_encoder(tmp_path / "out")
    assert ours.fingerprint == theirs.fingerprint != encoder.fingerprint
    assert np.array_equal(ours.encode_texts(TEXTS), theirs.encode_texts(TEXTS))


def test_it_holds_what_hugging_face_expects(folder, tmp_path):
    export_model(folder, tmp_path / "out", licence="cc-by-4.0")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json", "recipe.toml"} <= names
    assert json.loads((tmp_path / "out" / "config.json").read_text())["model_type"] == "xemplar"
    ours, theirs = (
        load_file(folder / "weights.safetensors"),
        load_file(tmp_path / "out" / "model.safetensors"),
    )
    assert ours.keys() == theirs.keys()


def test_the_card_says_what_a_reader_needs(folder, tmp_path):
    export_model(folder, tmp_path / "out", licence="cc-by-4.0")
    card = (tmp_path / "out" / "README.md").read_text()
    for said in (
        "Research use only. Not for diagnosis.", "| domain | synthetic |", "synthetic, 5 patients",
        "| mrr | 0.4321 |", "| licence | cc-by-4.0 |", 'license_name: "cc-by-4.0"', "never drafts for a real",
    ):  # fmt: skip
        assert said in card
    assert card.startswith("---\n")


def test_a_card_without_metrics_says_so(encoder, tmp_path):
    facts = {"domain": None, "preview_fingerprint": None}
    save_model(tmp_path / "m", encoder.model, encoder.tokenizer, recipe="", facts=facts)
    export_model(tmp_path / "m", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "None were recorded." in card and "| domain | not stated |" in card


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "recipe.toml"])
def test_a_changed_or_missing_file_is_refused(folder, tmp_path, name):
    export_model(folder, tmp_path / "out")
    path = tmp_path / "out" / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(MismatchError, match=rf"{name} is missing or changed"):
        open_model(tmp_path / "out")
    path.unlink()
    with pytest.raises(MismatchError, match=rf"{name} is missing or changed"):
        open_model(tmp_path / "out")


def test_another_version_is_refused(folder, tmp_path):
    export_model(folder, tmp_path / "out")
    path = tmp_path / "out" / "config.json"
    config = json.loads(path.read_text())
    config["xemplar"]["version"] = 99
    path.write_text(json.dumps(config))
    with pytest.raises(MismatchError, match="model of version 99; wanted version 1"):
        open_model(tmp_path / "out")


def test_a_damaged_model_is_not_handed_on(folder, tmp_path):
    (folder / "recipe.toml").write_text("x")
    with pytest.raises(MismatchError, match=r"recipe\.toml is missing or changed"):
        export_model(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_somebody_elses_model_is_not_handed_on(folder, tmp_path):
    manifest = json.loads((folder / "model.json").read_text())
    publish(folder, "model.json", {**manifest, "architecture": "vectors"})
    with pytest.raises(MismatchError, match="an imported model; wanted one that `xemplar train` made"):
        export_model(folder, tmp_path / "out")


def test_a_folder_with_other_things_in_it_is_left_alone(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(XemplarError, match="the folder holds other files"):
        export_model(folder, tmp_path / "out")


def test_what_is_said_of_a_model(folder):
    facts = describe(open_model(folder))
    assert facts["kind"] == "dual encoder of this program"
    assert facts["towers"] == {"image": "resnet", "text": "bert"}
    assert (facts["domain"], facts["dim"], facts["trained_on"]) == ("synthetic", 8, "synthetic, 5 patients")
    assert facts["fingerprint"] == open_model(folder).fingerprint
    assert facts["parameters"] == sum(one.numel() for one in open_model(folder).model.parameters())
