"""Every mistake on the command line ends in one line that says what was found and the remedy."""

from __future__ import annotations

import ast
import json
import re
import shutil
from pathlib import Path

import pytest
from commands import RECIPE, refused, xemplar
from typer.main import get_command

import xemplar as xemplar_package
from xemplar.cli.verbs import app
from xemplar.corpus import schema
from xemplar.folders import publish


def test_an_unreadable_image(walk, figures):
    (figures / "broken.png").write_bytes(b"not an image")
    assert "broken.png" in refused("draft", walk / "index", figures / "broken.png")


def test_a_corpus_of_another_version(walk, tmp_path):
    shutil.copytree(walk / "corpus", tmp_path / "corpus")
    manifest = json.loads((tmp_path / "corpus/corpus.json").read_text())
    (tmp_path / "corpus/corpus.json").write_text(json.dumps({**manifest, "version": 99}))
    line = refused("corpus", "card", tmp_path / "corpus")
    assert "version 99" in line and f"version {schema.VERSION}" in line


def test_a_model_made_with_another_preview(walk, tmp_path):
    phantom = ("ingest", "phantom", "--studies", 30, "--workers", 1)
    xemplar(*phantom, "--preview-size", 96, "--out", tmp_path / "corpus")
    line = refused("index", tmp_path / "corpus", "--model", walk / "model", "--out", tmp_path / "index")
    assert "preview" in line and "as the corpus holds" in line


def test_an_index_of_another_model(walk, tmp_path):
    recipe = tmp_path / "other.toml"
    recipe.write_text(RECIPE + "seed = 9\n")
    xemplar("train", walk / "corpus", "--recipe", recipe, "--out", tmp_path / "model")
    shutil.copytree(walk / "index", tmp_path / "index")
    manifest = json.loads((tmp_path / "index/index.json").read_text())
    origins = {"corpus": str(walk / "corpus"), "model": str(tmp_path / "model")}
    publish(tmp_path / "index", "index.json", {**manifest, "origins": origins})
    line = refused("search", tmp_path / "index", "effusion")
    assert "the index was made with model" in line and "xemplar index" in line


def test_an_unknown_key_in_a_recipe(walk, tmp_path):
    (tmp_path / "r.toml").write_text(RECIPE + "epoch = 3\n")
    line = refused("train", walk / "corpus", "--recipe", tmp_path / "r.toml", "--out", tmp_path / "m")
    assert "training.epoch" in line


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ingest",
        "nope",
        "--nope",
        "train c",
        "search",
        "search i words -k 0",
        "demo --studies 10",
        "index c",
    ],
)
def test_a_command_line_that_is_none_says_how(line):
    done = xemplar(*line.split(), code=2)
    said = done.stdout + done.stderr
    assert "Usage: " in said and "Traceback" not in said


@pytest.mark.parametrize("parts", ["foo", "train,foo", "all,foo", ""])
def test_parts_that_are_none_are_told_with_all(walk, tmp_path, parts):
    model = ("--model", walk / "model", "--out", tmp_path / "index")
    line = refused("index", walk / "corpus", *model, "--parts", parts)
    wanted = "wanted all, or of train, val, test one or some, with commas"
    assert line.startswith("error: --parts '") and line.endswith(wanted)


def test_the_version():
    assert xemplar("--version").stdout == f"xemplar {xemplar_package.__version__}\n"


def test_no_such_folder(tmp_path):
    assert "no such index folder" in refused("search", tmp_path / "nowhere", "effusion")


def test_neither_words_nor_image(walk):
    assert "--image" in refused("search", walk / "index")


def test_every_option_that_a_message_names_is_one():
    spelt = re.compile(r"(?<![-\w])--[a-z][a-z-]*[a-z]")
    named: dict[str, str] = {}
    for path in Path(xemplar_package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named |= {option: path.name for option in spelt.findall(node.value)}
    commands, options = [get_command(app)], {"--help", "--nproc-per-node"}  # the latter is torchrun's
    for command in commands:
        commands += getattr(command, "commands", {}).values()
        options |= {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    assert {"--patients-unknown", "--labeler"} <= named.keys()
    assert {option: name for option, name in named.items() if option not in options} == {}
