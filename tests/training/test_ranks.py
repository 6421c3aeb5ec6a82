"""Several processes: rows shared without loss, dropout drawn as in one, and one training's numbers."""

import json
import os
import subprocess
import sys
import textwrap
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from xemplar.models.checkpoint import open_model
from xemplar.training.loop import train
from xemplar.training.ranks import Ranks, share, started


@pytest.mark.parametrize(("count", "of"), [(0, 2), (1, 3), (7, 2), (7, 7), (12, 5)])
def test_shares_are_runs_that_cover_every_row_once(count, of):
    rows = [row for number in range(of) for row in range(count)[share(count, number, of)]]
    assert rows == list(range(count))
    lengths = [len(range(count)[share(count, number, of)]) for number in range(of)]
    assert max(lengths) - min(lengths) <= 1
    assert lengths == Ranks(0, of).counts(count)


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    ranks = started()
    assert ranks.first and ranks.count == 1
    rows = torch.ones(3, 2)
    assert ranks.gather(rows, [3]) is rows and ranks.agreed(True) and not ranks.agreed(False)


class Attending(nn.Module):
    """Dropout on rows, within attention, and on a shape of heads times rows."""

    def forward(self, rows):
        heads = rows.view(len(rows), 2, 3, 4)
        attended = nn.functional.scaled_dot_product_attention(heads, heads, heads, dropout_p=0.3)
        flat = nn.functional.dropout(attended.reshape(-1, 3, 4), 0.2)
        return nn.functional.dropout(flat.view(len(rows), -1), 0.5)


@pytest.mark.parametrize("rows", [slice(0, 3), slice(3, 7), slice(6, 7)])
def test_rows_draw_the_dropout_of_their_whole_batch(rows):
    inputs = torch.randn(7, 24, generator=torch.Generator().manual_seed(0))
    drawn, two = [], Ranks(0, 2, device=torch.device("cpu"))
    for part, context in ((slice(0, 7), nullcontext()), (rows, two.drawn_as_whole(rows, 7))):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            with context:
                drawn.append((Attending()(inputs[part]), torch.rand(1)))
    torch.testing.assert_close(drawn[1][0], drawn[0][0][rows])
    assert torch.equal(drawn[1][1], drawn[0][1])  # the generator is as far


SCRIPT = """
    import json, os, sys
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from xemplar.cli.verbs import train as verb
    from xemplar.corpus import Corpus
    from xemplar.training import loop, state
    from xemplar.training.learners import dual
    from xemplar.training.recipe import Recipe

    loop.draw = lambda *_, **__: b""  # the picture has tests of its own

    def never(*_, **__):
        raise RuntimeError("another than the first process writes")

    if os.environ["RANK"] != "0":
        loop.write_atomic = dual.save_model = loop.writing = state.save = state.discard = never
    corpus, out, recipes = sys.argv[1:]
    opened = Corpus.open(corpus)
    for name, recipe in json.loads(recipes).items():
        losses = []
        loop.train(opened, Recipe.model_validate(recipe), Path(out) / name, recipe_text="",
                   on_progress=lambda at: losses.append(at.loss))
        with open(Path(out) / f"{name}-{os.environ['RANK']}.json", "w") as stream:
            json.dump(losses, stream)
    path = Path(out) / "recipe.toml"
    verb(Path(corpus), Path(out) / "said", recipe=str(path), as_json=True)
"""


@pytest.fixture(scope="module")
def recipes(tiny):
    """Dropout (within attention too) and BatchNorm; and chunks of a batch that no process can halve."""
    plain, odd = (
        tiny(epochs=2).model_dump(mode="json"),
        tiny(batch=9, chunk=4, epochs=2).model_dump(mode="json"),
    )
    odd["model"]["image"]["norm"] = "group"
    return {"plain": plain, "chunked": odd}


SMALL = """
name = "said"
domain = "chest"
[model]
dim = 8
[model.image]
input_size = 32
[model.image.config]
model_type = "resnet"
num_channels = 1
embedding_size = 8
hidden_sizes = [8]
depths = [1]
layer_type = "basic"
[model.text]
vocabulary = 300
max_tokens = 16
[model.text.config]
model_type = "bert"
hidden_size = 8
num_hidden_layers = 1
num_attention_heads = 1
intermediate_size = 8
max_position_embeddings = 16
[training]
epochs = 1
"""


@pytest.fixture(scope="module")
def two_processes(phantom_corpus, recipes, tmp_path_factory):
    """The folder of what two processes trained, and what they said."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "script.py").write_text(textwrap.dedent(SCRIPT))
    (folder / "recipe.toml").write_text(SMALL)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    given = [str(folder / "script.py"), str(phantom_corpus.folder), str(folder), json.dumps(recipes)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run([*torchrun, *given], capture_output=True, text=True, timeout=240, env=env)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return folder, ended.stdout


@pytest.mark.parametrize("name", ["plain", "chunked"])
def test_two_processes_have_one_processs_losses(two_processes, phantom_corpus, recipes, tmp_path, name):
    from xemplar.training.recipe import Recipe

    losses = []
    train(phantom_corpus, Recipe.model_validate(recipes[name]), tmp_path / "m", recipe_text="",
          on_progress=lambda at: losses.append(at.loss))  # fmt: skip
    found = json.loads((two_processes[0] / f"{name}-0.json").read_text())
    assert len(losses) >= 6
    assert found == pytest.approx(losses, abs=1e-4)
    one, two = (
        open_model(folder).manifest["validation"] for folder in (tmp_path / "m", two_processes[0] / name)
    )
    assert two == one


def test_only_the_first_process_reports_progress(two_processes):
    assert json.loads((two_processes[0] / "plain-1.json").read_text()) == []


def test_the_verb_speaks_once(two_processes):
    folder, said = two_processes
    assert json.loads(said)["model"] == str(folder / "said")
    assert open_model(folder / "said").manifest["recipe"] == "said"
