"""The command line as a user meets it: the whole way on a small archive, and every mistake in one line."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command

import xemplar as xemplar_package
from xemplar.cli import main
from xemplar.cli.verbs import app
from xemplar.corpus import schema
from xemplar.sources import phantom
from xemplar.training import loop

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

RECIPE = (Path(__file__).parent / "small.toml").read_text()


@dataclass
class Done:
    stdout: str
    stderr: str


def xemplar(*arguments: object, code: int = 0) -> Done:
    """The command line in this process: what it prints, once its exit code is as it should be."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as stopped,
    ):
        main([str(argument) for argument in arguments])
    assert stopped.value.code == code, err.getvalue()
    return Done(out.getvalue(), err.getvalue())


def refused(*arguments: object) -> str:
    """The one line in which a mistake ends."""
    done = xemplar(*arguments, code=2)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return lines[0]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole way, small: corpus, model, index and calibration in one folder."""
    folder = tmp_path_factory.mktemp("walk")
    (folder / "test.toml").write_text(RECIPE)
    xemplar(
        "ingest",
        "phantom",
        "--studies",
        300,
        "--preview-size",
        64,
        "--workers",
        1,
        "--split-salt",  # one that gives the validation part enough of a finding
        "seven",
        "--out",
        folder / "corpus",
    )
    xemplar("train", folder / "corpus", "--recipe", folder / "test.toml", "--out", folder / "model")
    xemplar("index", folder / "corpus", "--model", folder / "model", "--out", folder / "index")
    xemplar("calibrate", folder / "index")
    return folder


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    """A table of 24 figures with captions, and their files."""
    rng = np.random.default_rng(0)
    rows = ["image,text,article,part"]
    parts = ("train", "val", "test")
    (tmp_path / "images").mkdir()
    for number in range(24):
        Image.fromarray(rng.integers(0, 255, (40, 50), np.uint8)).save(tmp_path / f"images/{number}.png")
        rows.append(f"images/{number}.png,Axial CT of case {number},a{number // 2},{parts[number // 2 % 3]}")
    (tmp_path / "figures.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_the_corpus_card_is_headed_by_domain_and_patients(walk):
    card = json.loads(xemplar("corpus", "card", walk / "corpus", "--json").stdout)
    assert card["studies"] == 300
    drawn_by = f"{phantom.VERSION} {phantom.version_hash()}"
    assert card["title"] == f"synthetic ({drawn_by}), {card['patients']} patients, 300 studies"


def test_text_finds_reports(walk):
    found = json.loads(xemplar("search", walk / "index", "left pleural effusion", "-k", 3, "--json").stdout)
    assert [hit["kind"] for hit in found["hits"]] == ["report"] * 3
    assert "effusion" in found["hits"][0]["text"].lower()


@pytest.mark.parametrize("kind", ["image", "sentence", "report"])
def test_an_image_finds_every_kind(walk, kind, tmp_path):
    film = draw(tmp_path / "film.png")
    found = json.loads(xemplar("search", walk / "index", "--image", film, "--kind", kind, "--json").stdout)
    assert len(found["hits"]) == 10
    assert all(hit["study_ids"] for hit in found["hits"])


def test_every_line_of_a_draft_has_its_source(walk, tmp_path):
    made = json.loads(xemplar("draft", walk / "index", draw(tmp_path / "film.png"), "--json").stdout)
    assert made["gate"] is None
    assert made["status"].startswith("Research use only")
    assert made["lines"] or made["abstained"]
    for line in made["lines"]:
        start, end = line["span"]
        assert line["text"] == line["sentence_text"][start:end]
        assert line["source_study_ids"]


def test_a_draft_as_text_says_what_it_is(walk, tmp_path):
    said = xemplar("draft", walk / "index", draw(tmp_path / "film.png")).stdout
    assert "Research use only. Not for diagnosis. Unverified draft." in said
    assert f"[synthetic ({phantom.VERSION} " in said


def test_a_drawn_archive_drafts_for_no_real_film(walk, figures):
    made = json.loads(xemplar("draft", walk / "index", figures / "images/0.png", "--json").stdout)
    assert made["gate"] == "no draft: this archive is drawn, not clinical"
    assert made["lines"] == []


def test_evaluate_writes_a_page_and_prints_floors(walk, tmp_path):
    said = xemplar("evaluate", walk / "index", "--replicates", 100, "--out", tmp_path / "report").stdout
    assert "linear floor" in said and "chance" in said and "success@10 (R@k in CLIP papers)" in said
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"summary.json", "scores.parquet", "drafts.jsonl", "report.html", "plots"} <= names


def test_an_index_for_service_is_not_evaluated_on_its_own_corpus(walk, tmp_path):
    xemplar("index", walk / "corpus", "--model", walk / "model", "--parts", "all", "--out", tmp_path / "all")
    line = refused("evaluate", tmp_path / "all", "--out", tmp_path / "report")
    assert "of the evaluated patients or groups" in line and "--parts train" in line


def test_figures_get_whole_captions(walk, figures):
    corpus, model = figures / "corpus", figures / "model"
    table = (
        "ingest",
        "table",
        figures / "figures.csv",
        "--group-column",
        "article",
        "--split-column",
        "part",
    )
    xemplar(*table, "--workers", 1, "--preview-size", 64, "--out", corpus)
    recipe = figures / "captions.toml"
    recipe.write_text(RECIPE.replace("batch = 16", "batch = 2").replace('"chest"', '"any"'))
    xemplar("train", corpus, "--recipe", recipe, "--out", model)
    xemplar("index", corpus, "--model", model, "--out", figures / "index")
    made = json.loads(xemplar("draft", figures / "index", figures / "images/3.png", "--json").stdout)
    assert made["lines"][0]["text"].startswith("Axial CT of case")
    assert made["lines"][0]["confidence"] is None


# --- mistakes -----


def test_no_such_column(figures):
    line = refused(
        "ingest", "table", figures / "figures.csv", "--group-column", "patient", "--out", figures / "c"
    )
    assert "patient" in line and "article" in line


def test_an_empty_table(figures):
    (figures / "empty.csv").write_text("image,text,article,part\n")
    line = refused(
        "ingest", "table", figures / "empty.csv", "--group-column", "article", "--out", figures / "c"
    )
    assert "no rows" in line


def test_an_empty_file(figures):
    (figures / "empty.csv").write_text("")
    refused("ingest", "table", figures / "empty.csv", "--group-column", "article", "--out", figures / "c")


def test_a_missing_image_is_counted_and_told(figures):
    (figures / "images/5.png").unlink()
    table = ("ingest", "table", figures / "figures.csv", "--group-column", "article", "--workers", 1)
    done = xemplar(*table, "--preview-size", 64, "--out", figures / "c")
    assert "rejected 1: unreadable image" in done.stderr and "5.png" in done.stderr
    assert "23 added" in done.stdout
    assert len((figures / "c/rejected.jsonl").read_text().splitlines()) == 1


def test_a_study_twice_is_counted_and_told(figures):
    table = figures / "figures.csv"
    table.write_text(table.read_text() + "images/3.png,Another caption,a1,train\n")
    done = xemplar(
        "ingest", "table", table, "--group-column", "article", "--workers", 1, "--out", figures / "c"
    )
    assert "rejected 1: study twice" in done.stderr and "row 25" in done.stderr


def test_patients_have_to_be_told_of(figures):
    line = refused("ingest", "table", figures / "figures.csv", "--out", figures / "c")
    assert "no patient column" in line and "--patients-unknown" in line


def test_an_unreadable_file(figures):
    (figures / "broken.parquet").write_bytes(b"PAR1 and nothing else")
    line = refused(
        "ingest", "table", figures / "broken.parquet", "--patients-unknown", "--out", figures / "c"
    )
    assert "broken.parquet" in line


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
    (tmp_path / "index/index.json").write_text(json.dumps({**manifest, "origins": origins}))
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


def test_no_such_folder(tmp_path):
    assert "no such index folder" in refused("search", tmp_path / "nowhere", "effusion")


def test_neither_words_nor_image(walk):
    assert "--image" in refused("search", walk / "index")


@pytest.mark.parametrize("verb", ["ingest", "train"])
def test_interrupted_it_goes_on(verb, walk, tmp_path, monkeypatch):
    if verb == "ingest":
        command = ["ingest", "phantom", "--studies", "1200", "--preview-size", "64", "--workers", "2"]
        command, begun = (
            [*command, "--out", str(tmp_path / "corpus")],
            tmp_path / "corpus/studies/000001.parquet",  # the manifest lists the one before
        )
    else:
        (tmp_path / "long.toml").write_text(RECIPE.replace("epochs = 1", "epochs = 6"))
        command = ["train", str(walk / "corpus"), "--recipe", str(tmp_path / "long.toml")]
        command, begun = [*command, "--out", str(tmp_path / "model")], tmp_path / "model/state/state.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "xemplar", *command],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr.decode()
    assert b"the same command can be given again" in stderr and b"Traceback" not in stderr
    if verb == "ingest":
        done = json.loads(xemplar(*command, "--json").stdout)
        assert done["already_there"] >= 256 and done["added"] + done["already_there"] == 1200
        assert (done["studies"], done["complete"]) == (1200, True)
    else:
        before = json.loads(begun.read_text())["position"]["step"]
        steps = []
        whole = loop._Run._step
        monkeypatch.setattr(
            loop._Run, "_step", lambda run, batch: steps.append(batch.step) or whole(run, batch)
        )
        xemplar(*command)
        assert before > 0 and steps[0] == before
        assert (tmp_path / "model/model.json").exists() and not (tmp_path / "model/state").exists()


def draw(path: Path) -> Path:
    """A phantom film that no archive holds, marked as drawn."""
    from xemplar.sources import phantom

    phantom.save_film(next(phantom.studies(1, seed=77)), 0, path)
    return path


# --- ingest -----


def table_of(folder: Path, text: str) -> Path:
    (folder / "table.csv").write_text(text)
    return folder / "table.csv"


def test_a_split_that_is_none_is_told_without_the_cell(tmp_path):
    table = table_of(tmp_path, "study,patient,findings\n1,p,Large effusion of Doe.\n")
    line = refused(
        *("ingest", "table", table, "--patient-column", "patient", "--split-column", "findings"),
        *("--out", tmp_path / "c"),
    )
    assert "table.csv, row 1: column 'findings' holds a value that is no split's name" in line
    assert "Doe" not in line


def test_a_table_without_a_header_is_told_without_a_cell(tmp_path):
    table = table_of(tmp_path, "1,p17,Large effusion of Doe.\n2,p18,Clear lungs.\n")
    line = refused("ingest", "table", table, "--patient-column", "patient", "--out", tmp_path / "c")
    assert "no column 'patient'" in line and "its first row does not look like a header" in line
    assert "Doe" not in line and "p17" not in line


def test_drawn_films_do_not_become_clinical(tmp_path):
    draw(tmp_path / "film.png")
    table = table_of(tmp_path, "study,image,findings\nsource-1,film.png,Clear lungs.\n")
    line = refused("ingest", "table", table, "--patients-unknown", "--workers", 1, "--out", tmp_path / "c")
    assert "no study could be read (1 of another domain)" in line
    assert "film.png: of another domain: marked synthetic, this corpus is clinical" in line


def test_a_table_is_not_called_synthetic(figures):
    line = refused(
        *("ingest", "table", figures / "figures.csv", "--patients-unknown", "--domain", "synthetic"),
        *("--out", figures / "c"),
    )
    assert "--domain" in line and "'clinical' or 'figures'" in line


def test_a_patient_in_two_splits_is_told_without_an_id_of_the_source(tmp_path):
    rows = "study,patient,part,findings\nsource-1,source-p,train,Clear.\nsource-2,source-p,test,Clear.\n"
    done = xemplar(
        *("ingest", "table", table_of(tmp_path, rows), "--patient-column", "patient"),
        *("--split-column", "part", "--workers", 1, "--out", tmp_path / "c"),
    )
    (row,) = [json.loads(line) for line in (tmp_path / "c/rejected.jsonl").read_text().splitlines()]
    assert "rejected 1: its patient is in another split\n" in done.stderr
    assert f"  first: {row['key']}: its patient is in another split: train, not test" in done.stderr
    assert "source-" not in done.stdout + done.stderr


def test_a_damaged_table_of_a_corpus_is_told_with_the_remedy(tmp_path):
    rows = "study,findings\n1,Clear.\n"
    xemplar(
        *("ingest", "table", table_of(tmp_path, rows), "--patients-unknown", "--workers", 1),
        *("--out", tmp_path / "c"),
    )
    path = tmp_path / "c/studies/000000.parquet"
    path.write_bytes(b"x" * path.stat().st_size)
    line = refused("corpus", "card", tmp_path / "c")
    assert "studies/000000.parquet can't be read; run `xemplar corpus check`" in line
    assert (
        "studies/000000.parquet: SHA-256 differs" in xemplar("corpus", "check", tmp_path / "c", code=1).stdout
    )


def test_every_option_that_a_message_names_is_one():
    spelt = re.compile(r"(?<![-\w])--[a-z][a-z-]*[a-z]")
    named: dict[str, str] = {}
    for path in Path(xemplar_package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named |= {option: path.name for option in spelt.findall(node.value)}
    commands, options = [get_command(app)], {"--help"}
    for command in commands:
        commands += getattr(command, "commands", {}).values()
        options |= {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    assert {"--patients-unknown", "--labeler"} <= named.keys()
    assert {option: name for option, name in named.items() if option not in options} == {}
