"""The command line as a user meets it: the whole way on a small archive, and on after a stop."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from commands import RECIPE, draw, forked, refused, xemplar

from xemplar.corpus import IngestSettings
from xemplar.sources import phantom
from xemplar.training import loop


def test_the_corpus_card_is_headed_by_domain_and_patients(walk):
    card = json.loads(xemplar("corpus", "card", walk / "corpus", "--json").stdout)
    assert card["studies"] == 120
    drawn_by = f"{phantom.VERSION} {phantom.version_hash()}"
    assert card["title"] == f"synthetic ({drawn_by}), {card['patients']} patients, 120 studies"


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


def test_a_thin_calibration_is_told(walk, tmp_path):
    done = xemplar("calibrate", walk / "index", "--no-promise", "--out", tmp_path / "c", "--json")
    thin = json.loads(done.stdout)["thin"]
    findings = "1 finding rest" if len(thin) == 1 else f"{len(thin)} findings rest"
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("thresholds of ")]
    assert f"{findings} on fewer than 30 studies each, so drafts will be unreliable there" in line
    assert thin and all(f"{name} {count}" in line and count < 30 for name, count in thin.items())


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

    # The film asked about is in the archive, and so is another of its article (both in the training part).
    done = xemplar("search", figures / "index", "--image", figures / "images/1.png", "--json")
    found = json.loads(done.stdout)
    assert len(found["left_out"]) == 2
    assert not set(found["left_out"]) & {one for hit in found["hits"] for one in hit["study_ids"]}
    own = f"left out: study {found['left_out'][0]}, which holds this film, and 1 more of its patient or group"
    assert own in done.stderr.splitlines()
    assert "left out" not in xemplar("search", figures / "index", "a liver").stderr


def begun(path: Path) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def in_small_segments() -> None:
    IngestSettings.model_fields["segment_size"].default = 16
    IngestSettings.model_rebuild(force=True)


def test_an_interrupted_ingest_goes_on(tmp_path):
    command = ["ingest", "phantom", "--studies", 120, "--preview-size", 64, "--workers", 2]
    command += ["--out", tmp_path / "corpus"]
    run = forked(*command, said=tmp_path / "said", before=in_small_segments)
    begun(tmp_path / "corpus/studies/000001.parquet")  # the manifest lists the one before
    code, said = run.end(signal.SIGINT)
    assert code == 130, said
    assert "the same command can be given again" in said and "Traceback" not in said
    done = json.loads(xemplar(*command, "--json").stdout)
    assert 16 <= done["already_there"] < 120 and done["added"] + done["already_there"] == 120
    assert (done["studies"], done["complete"]) == (120, True)


def slowly() -> None:
    """So that it is never done before it is interrupted."""
    step = loop._Run._step
    loop._Run._step = lambda run, batches: (time.sleep(0.05), step(run, batches))[1]


def test_an_interrupted_training_goes_on(walk, tmp_path, monkeypatch):
    (tmp_path / "long.toml").write_text(RECIPE.replace("epochs = 1", "epochs = 6"))
    command = ["train", walk / "corpus", "--recipe", tmp_path / "long.toml", "--out", tmp_path / "model"]
    run = forked(*command, said=tmp_path / "said", before=slowly)
    begun(tmp_path / "model/state/state.json")
    code, said = run.end(signal.SIGINT)
    assert code == 130, said
    assert "the same command can be given again" in said and "Traceback" not in said
    before = json.loads((tmp_path / "model/state/state.json").read_text())["position"]["step"]
    steps = []
    whole = loop._Run._step
    monkeypatch.setattr(
        loop._Run, "_step", lambda run, batches: steps.append(run.at.step) or whole(run, batches)
    )
    xemplar(*command)
    assert before > 0 and steps[0] == before
    assert (tmp_path / "model/model.json").exists() and not (tmp_path / "model/state").exists()
