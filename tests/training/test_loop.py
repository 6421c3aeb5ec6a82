"""Training: resumed bit for bit, finished once, refused where it would mix two runs, and never silent."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest
import torch
from safetensors.torch import load_file

from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import writing
from xemplar.models.checkpoint import open_model
from xemplar.training import loop, state
from xemplar.training.learners import dual
from xemplar.training.loop import train


class Stopped(Exception):
    """Raised by a test to stop a run."""


def weights_of(folder):
    return load_file(folder / "weights.safetensors")


def equal(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture(scope="module")
def undisturbed(phantom_corpus, tiny, tmp_path_factory):
    """A folder, the manifest that training returned, and every progress row."""
    folder, rows = tmp_path_factory.mktemp("whole") / "model", []
    manifest = train(phantom_corpus, tiny(), folder, recipe_text="text", on_progress=rows.append)
    return folder, manifest, rows


def stop_at(step):
    def told(progress):
        if progress.step == step:
            raise Stopped

    return told


def test_a_model_folder_opens(undisturbed):
    folder, manifest, _ = undisturbed
    encoder = open_model(folder)
    assert encoder.domain == "synthetic"
    assert encoder.preview == manifest["preview_fingerprint"]


def test_the_recipe_lies_beside_the_weights(undisturbed):
    assert (undisturbed[0] / "recipe.toml").read_text() == "text"


def test_the_manifest_says_what_it_was_trained_on(undisturbed, phantom_corpus):
    about = undisturbed[1]["trained_on"]
    assert about["corpus"] == phantom_corpus.fingerprint
    held = undisturbed[1]["validation"]["studies"]
    assert about["pairs"] + held == sum(bool(s.views and s.text) for s in phantom_corpus.part("train"))
    assert 2 <= held < about["pairs"]


def test_the_log_has_a_row_an_epoch(undisturbed):
    folder, manifest, rows = undisturbed
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in log] == [1, 2, 3]
    assert [row["step"] for row in log] == [rows[-1].steps * n // 3 for n in (1, 2, 3)]
    assert max(row["val_mrr"] for row in log) == pytest.approx(manifest["validation"]["mrr"], abs=1e-4)
    assert all(row["loss"] > 0 and 0 <= row["learning_rate"] <= 1e-3 for row in log)


def test_progress_counts_every_step(undisturbed):
    rows = undisturbed[2]
    assert [row.step for row in rows] == list(range(1, rows[-1].steps + 1))


def test_no_state_is_left_behind(undisturbed):
    assert not (undisturbed[0] / "state").exists()


def test_the_global_generator_is_left_alone(phantom_corpus, tiny, tmp_path):
    before = torch.random.get_rng_state()
    train(phantom_corpus, tiny(epochs=1), tmp_path / "m", recipe_text="")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_training_twice_gives_the_same_bits(undisturbed, phantom_corpus, tiny, tmp_path):
    torch.manual_seed(99)  # must not matter
    train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="text")
    assert equal(weights_of(tmp_path / "m"), weights_of(undisturbed[0]))


@pytest.mark.parametrize("epochs_done", [1, 2])
def test_an_interrupted_run_goes_on_to_the_same_bits(
    undisturbed, phantom_corpus, tiny, tmp_path, epochs_done
):
    """Stopped after an epoch's state was kept, it repeats what came after it."""
    folder, step = tmp_path / "m", undisturbed[2][-1].steps * epochs_done // 3 + 1
    with pytest.raises(Stopped):
        train(phantom_corpus, tiny(), folder, recipe_text="text", on_progress=stop_at(step))
    assert (folder / "state" / "state.json").exists()
    train(phantom_corpus, tiny(), folder, recipe_text="text")
    assert equal(weights_of(folder), weights_of(undisturbed[0]))
    assert (folder / "log.jsonl").read_text() == (undisturbed[0] / "log.jsonl").read_text()


@pytest.mark.parametrize("step", [6])
def test_so_does_one_kept_within_an_epoch(undisturbed, phantom_corpus, tiny, tmp_path, monkeypatch, step):
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1.0)
    with pytest.raises(Stopped):
        train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="text", on_progress=stop_at(step))
    train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="text")
    assert equal(weights_of(tmp_path / "m"), weights_of(undisturbed[0]))


def test_so_does_one_kept_between_last_step_and_validation(
    undisturbed, phantom_corpus, tiny, tmp_path, monkeypatch
):
    def stopped(_run):
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(loop, "SAVE_SECONDS", -1.0)
        patch.setattr(loop._Run, "_validate", stopped)
        with pytest.raises(Stopped):
            train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="text")
    train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="text")
    assert equal(weights_of(tmp_path / "m"), weights_of(undisturbed[0]))
    assert (tmp_path / "m/log.jsonl").read_text() == (undisturbed[0] / "log.jsonl").read_text()


def test_so_does_one_stopped_after_its_last_state(undisturbed, phantom_corpus, tiny, tmp_path, monkeypatch):
    """Nothing is left to train or to tokenize; every listed file is the same all the same."""
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(dual, "save_model", lambda *_, **__: (_ for _ in ()).throw(Stopped))
        train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="text")
    manifest = train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="text")
    assert manifest["files"] == undisturbed[1]["files"]


def test_a_state_half_written_leaves_the_one_before(undisturbed, phantom_corpus, tiny, tmp_path, monkeypatch):
    """Killed while the second epoch's tensors are written, it goes on from the first's."""
    whole, calls = state.save_file, []

    def cut(tensors, path):
        whole(tensors, path)
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(path.read_bytes()[:50])
            raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(state, "save_file", cut)
        with pytest.raises(Stopped):
            train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="text")
    train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="text")
    assert equal(weights_of(tmp_path / "m"), weights_of(undisturbed[0]))


def test_two_states_at_one_step_are_two_files(phantom_corpus, tiny, tmp_path, monkeypatch):
    """The state kept after an epoch's last step isn't overwritten by the one kept after validation."""
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1.0)
    whole, names = state.save_file, []

    def noted(tensors, path):
        names.append(path.name)
        whole(tensors, path)

    monkeypatch.setattr(state, "save_file", noted)
    train(phantom_corpus, tiny(epochs=2), tmp_path / "m", recipe_text="")
    assert len(set(names)) == len(names) > 2


def test_an_unreadable_state_is_told(phantom_corpus, tiny, tmp_path):
    (tmp_path / "m/state").mkdir(parents=True)
    (tmp_path / "m/state/state.json").write_text("{")
    with pytest.raises(XemplarError, match="the interrupted training can't be read"):
        train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="")


CHILD = """
    import json, sys, time, torch
    from pathlib import Path
    from xemplar.corpus import Corpus
    from xemplar.training.loop import train
    from xemplar.training.recipe import Recipe
    torch.set_num_threads(1)
    corpus, folder, recipe = sys.argv[1:]
    def told(progress):
        print(progress.step, flush=True)
        time.sleep(0.05 if progress.step < 6 else 60)
    train(Corpus.open(corpus), Recipe.model_validate(json.loads(recipe)), Path(folder), recipe_text="text",
          on_progress=told)
"""


@pytest.fixture(scope="module")
def chunked(tiny):
    """Batches of six in chunks of four, two of them a step."""
    return tiny(batch=6, chunk=4, accumulate=2, frozen_norm=True)


@pytest.fixture(scope="module")
def undisturbed_chunks(phantom_corpus, chunked, tmp_path_factory):
    folder = tmp_path_factory.mktemp("chunks") / "model"
    train(phantom_corpus, chunked, folder, recipe_text="text")
    return folder


@pytest.mark.parametrize("step", [1, 4, 8])
def test_in_chunks_and_accumulated_it_goes_on_to_the_same_bits(
    undisturbed_chunks, phantom_corpus, chunked, tmp_path, monkeypatch, step
):
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1.0)
    with pytest.raises(Stopped):
        train(phantom_corpus, chunked, tmp_path / "m", recipe_text="text", on_progress=stop_at(step + 1))
    kept = json.loads((tmp_path / "m/state/state.json").read_bytes())["position"]
    assert kept["step"] == step
    train(phantom_corpus, chunked, tmp_path / "m", recipe_text="text")
    assert equal(weights_of(tmp_path / "m"), weights_of(undisturbed_chunks))
    for name in ("log.jsonl", "training.png"):
        assert (tmp_path / "m" / name).read_bytes() == (undisturbed_chunks / name).read_bytes()


def test_a_killed_process_leaves_what_another_completes(
    undisturbed_chunks, phantom_corpus, chunked, tmp_path
):
    folder = tmp_path / "m"
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(phantom_corpus.folder), str(folder),
         chunked.model_dump_json()],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        assert child.stdout is not None
        steps = [next(child.stdout).strip() for _ in range(6)]
        with pytest.raises(XemplarError, match="another process is writing here"):
            train(phantom_corpus, chunked, folder, recipe_text="text")
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert steps[-1] == "6" and not (folder / "model.json").exists()
    train(phantom_corpus, chunked, folder, recipe_text="text")
    assert equal(weights_of(folder), weights_of(undisturbed_chunks))


def test_a_finished_model_is_returned_as_it_is(undisturbed, phantom_corpus, tiny, monkeypatch):
    folder, manifest, _ = undisturbed
    monkeypatch.setattr(loop, "_Run", None)
    before = (folder / "weights.safetensors").stat().st_mtime_ns
    assert train(phantom_corpus, tiny(), folder, recipe_text="text") == manifest
    assert (folder / "weights.safetensors").stat().st_mtime_ns == before


def test_another_recipe_into_a_finished_folder_is_refused(undisturbed, phantom_corpus, tiny):
    with pytest.raises(MismatchError, match="a finished model of another recipe or corpus"):
        train(phantom_corpus, tiny(seed=6), undisturbed[0], recipe_text="")


def test_what_a_kill_left_beside_a_finished_model_is_cleared(undisturbed, phantom_corpus, tiny, tmp_path):
    """Killed after its manifest was swapped in, before the kept state was dropped."""
    folder = tmp_path / "m"
    shutil.copytree(undisturbed[0], folder)
    (folder / "state").mkdir()
    (folder / ".model.json.123.tmp").write_text("{")
    train(phantom_corpus, tiny(), folder, recipe_text="text")
    assert not (folder / "state").exists() and list(folder.glob("*.tmp")) == []


def test_a_folder_of_other_files_is_refused_and_left_alone(phantom_corpus, tiny, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(XemplarError, match="holds other files; wanted a new or empty folder"):
        train(phantom_corpus, tiny(), tmp_path, recipe_text="")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "thesis.txt"]


def test_another_recipe_into_an_interrupted_folder_is_refused(phantom_corpus, tiny, tmp_path):
    with pytest.raises(Stopped):
        train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="", on_progress=stop_at(5))
    with pytest.raises(MismatchError, match="an interrupted training of another recipe or corpus"):
        train(phantom_corpus, tiny(seed=6), tmp_path / "m", recipe_text="")


def test_a_second_writer_is_told(phantom_corpus, tiny, tmp_path):
    with (
        writing(tmp_path / "m"),
        pytest.raises(XemplarError, match="another process is writing here"),
    ):
        train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="")


def _with_scores(monkeypatch, scores):
    given = iter(scores)
    monkeypatch.setattr(loop._Run, "_validate", lambda _run: {"val_mrr": next(given)})


def test_it_stops_after_as_many_epochs_without_a_better_score(phantom_corpus, tiny, tmp_path, monkeypatch):
    _with_scores(monkeypatch, [0.1, 0.3, 0.2, 0.3, 0.9])
    manifest = train(phantom_corpus, tiny(epochs=5, patience=2), tmp_path / "m", recipe_text="")
    assert (manifest["validation"]["mrr"], manifest["validation"]["epoch"]) == (0.3, 2)
    assert len((tmp_path / "m/log.jsonl").read_text().splitlines()) == 4


def test_the_best_epochs_weights_are_kept(phantom_corpus, tiny, tmp_path, monkeypatch):
    _with_scores(monkeypatch, [0.2, 0.9, 0.1])
    kept = []
    real = loop._Run._end_epoch

    def noted(run):
        real(run)
        kept.append({name: value.clone() for name, value in run.average.items()})

    monkeypatch.setattr(loop._Run, "_end_epoch", noted)
    train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="")
    found = weights_of(tmp_path / "m")
    assert equal(found, kept[1]) and not equal(found, kept[2])


def test_the_weights_before_it_are_kept_and_the_same_command_goes_on(
    undisturbed, phantom_corpus, tiny, tmp_path, monkeypatch, spoil_loss
):
    """Where the cause is gone, as if it had never been."""
    with monkeypatch.context() as patch, pytest.raises(XemplarError, match="the loss is nan at step 4"):
        spoil_loss(patch, call=9)
        train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="text")
    kept = load_file(next((tmp_path / "m/state").glob("*.safetensors")))
    assert all(torch.isfinite(value).all() for value in kept.values())
    train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="text")
    assert equal(weights_of(tmp_path / "m"), weights_of(undisturbed[0]))


def test_the_picture_is_no_part_of_the_model(undisturbed, tmp_path):
    """It lies beside the weights; without it, or with another, the model is the same."""
    folder, manifest, _ = undisturbed
    assert (folder / "training.png").read_bytes().startswith(b"\x89PNG")
    assert "training.png" not in manifest["files"]
    shutil.copytree(folder, tmp_path / "m")
    (tmp_path / "m/training.png").unlink()
    assert open_model(tmp_path / "m").fingerprint == open_model(folder).fingerprint


def test_throughput_counts_the_studies_of_all_batches(undisturbed):
    assert all(row.pairs_per_second > 0 for row in undisturbed[2])


def test_it_learns(phantom_corpus, tiny, tmp_path):
    rows = []
    train(
        phantom_corpus,
        tiny(epochs=8, learning_rate=1e-2),
        tmp_path / "m",
        recipe_text="",
        on_progress=rows.append,
    )
    assert rows[-1].loss < rows[0].loss


def test_the_rate_warms_up_and_falls_to_nothing(phantom_corpus, tiny, tmp_path):
    run = loop._Run(phantom_corpus, tiny(epochs=20, warmup=0.1), tmp_path, origin="x")
    rates = [run._rate(step) for step in range(run.steps)]
    warm = round(0.1 * run.steps)
    assert rates[0] == pytest.approx(1e-3 / warm)
    assert max(rates) == pytest.approx(1e-3) and rates.index(max(rates)) in (warm - 1, warm)
    assert rates[-1] < 1e-5


def test_norms_and_biases_are_not_decayed(phantom_corpus, tiny, tmp_path):
    run = loop._Run(phantom_corpus, tiny(weight_decay=0.3), tmp_path, origin="x")
    decayed, others = run.optimizer.param_groups
    assert decayed["weight_decay"] == 0.3 and all(p.ndim >= 2 for p in decayed["params"])
    assert others["weight_decay"] == 0.0 and all(p.ndim < 2 for p in others["params"])
    assert len(decayed["params"]) + len(others["params"]) == len(list(run.model.parameters()))
