"""What a line rests on, asked of an archive: a map for each view, pictures for each line and view."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from xemplar.archive import Archive
from xemplar.archive.explaining import write_heatmaps
from xemplar.contracts import Matches, Stages
from xemplar.errors import XemplarError
from xemplar.models.checkpoint import TorchEncoder
from xemplar.models.config import ModelConfig
from xemplar.models.dual import DualEncoder
from xemplar.models.heatmap import ByHiding, cosine
from xemplar.models.tokenizer import train_wordpiece
from xemplar.records import Draft, Line

TEXT = "There is a small left effusion."


def line(text=TEXT, **scores):
    return Line(text, "s1", text, (0, len(text)), ("study",), scores=scores)


class Foreign:
    """A matcher that is no network."""

    fingerprint = "foreign"

    def prepare(self, texts):
        return texts

    def match(self, images, states, *, explain=False):
        return Matches(np.zeros((len(images), len(states)), np.float32))


@pytest.fixture(scope="module")
def encoder():
    tokenizer = train_wordpiece([TEXT, "The lungs are clear."], 100)
    resnet = {"model_type": "resnet", "num_channels": 1, "embedding_size": 8, "hidden_sizes": [8],
              "depths": [1], "layer_type": "basic"}  # fmt: skip
    bert = {"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 16, "max_position_embeddings": 32, "vocab_size": len(tokenizer)}  # fmt: skip
    config = {"image": {"input_size": 32, "config": resnet, "grid": 2},
              "text": {"max_tokens": 16, "config": bert}, "dim": 8}  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = DualEncoder(ModelConfig.model_validate(config))
    facts = {"files": {}, "domain": "synthetic", "preview_fingerprint": None}
    return TorchEncoder(model, tokenizer, facts)


@pytest.fixture
def archive(bare, encoder):
    made = Archive(bare.corpus, bare.encoder, bare.index)
    made.encoder = encoder
    return made


def test_a_line_has_a_map_for_each_view(archive, queries, encoder):
    films = [*queries[0], *queries[1]][:2]
    heats = archive.heatmap(films, line())
    expected = ByHiding(cosine(encoder)).explain([film.image for film in films], TEXT)
    assert len(heats) == 2
    assert all(np.array_equal(one, two) for one, two in zip(heats, expected, strict=True))


def test_one_film_needs_no_list(archive, queries):
    film = queries[0][0]
    assert np.array_equal(archive.heatmap(film, line())[0], archive.heatmap([film], line())[0])


def test_a_line_that_a_matcher_chose_is_explained_by_it(archive, queries):
    archive.stages = Stages(matcher=Foreign())
    assert archive.heatmap(queries[0], line(cosine=0.3))
    with pytest.raises(XemplarError, match="found Foreign"):
        archive.heatmap(queries[0], line(matcher=0.3))


def test_an_encoder_without_a_network_says_that_it_has_no_map(bare, queries):
    with pytest.raises(XemplarError, match=r"no heatmap.*found Stub"):
        bare.heatmap(queries[0], line())


def test_pictures_of_every_line_and_view_take_an_earlier_drafts_place(archive, queries, tmp_path):
    film = queries[0][0]
    (tmp_path / "line-07-view-1.png").write_bytes(b"old")
    (tmp_path / "notes.png").write_bytes(b"mine")
    draft = Draft("d", None, (line(), line("The lungs are clear.")), {}, None, "p", None, "f", "synthetic")
    written = write_heatmaps(archive, [film], draft, folder=tmp_path)
    assert [path.name for path in written] == ["line-01-view-1.png", "line-02-view-1.png"]
    assert {path.name for path in tmp_path.iterdir()} == {*(path.name for path in written), "notes.png"}
    assert Image.open(io.BytesIO(written[0].read_bytes())).size[0] >= 512


def test_a_folder_that_is_a_file_is_told(archive, queries, tmp_path):
    (tmp_path / "taken").write_text("")
    draft = Draft("d", None, (line(),), {}, None, "p", None, "f", "synthetic")
    with pytest.raises(XemplarError, match="taken: can't be written"):
        write_heatmaps(archive, queries[0], draft, folder=tmp_path / "taken")
