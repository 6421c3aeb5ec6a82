"""A matcher's folder is what was saved, or it is refused."""

import numpy as np
import pytest
import torch

from xemplar.contracts import Encoder
from xemplar.errors import MismatchError, XemplarError
from xemplar.models.checkpoint import open_model
from xemplar.models.checkpoints.albef import Heads, albef_tokenizer, their_name
from xemplar.models.checkpoints.folder import Choices
from xemplar.models.checkpoints.matcher import import_matcher
from xemplar.models.config import MatcherConfig
from xemplar.models.matcher import MatcherNet
from xemplar.models.matcher_folder import open_matcher, save_matcher
from xemplar.models.matching import TorchMatcher
from xemplar.models.preprocessing import Preprocessing, film_preprocessing, openai_preprocessing

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "small", "left", "effusion", "##s"]
FACTS = {"domain": "synthetic", "preview_fingerprint": "abc"}
TEXTS = ["no effusions", "small left effusion", ""]
TWO = Heads(2, 2)
PREPARED = Preprocessing(input_size=16, mean=(0.4,), std=(0.3,))


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MatcherNet(
            MatcherConfig.model_validate(
                {
                    "image": {"input_size": 16, "patch": 8, "width": 8, "depth": 1, "heads": 2},
                    "text": {
                        "vocabulary": 10,
                        "width": 8,
                        "layers": 2,
                        "fusion": 1,
                        "heads": 2,
                        "inner": 16,
                        "positions": 20,
                        "max_tokens": 20,
                        "cls_token": 2,
                        "sep_token": 3,
                        "mask_token": 4,
                    },
                    "dim": 4,
                    "classes": 3,
                    "head": "mlp",
                }
            )
        )


@pytest.fixture
def folder(net, tmp_path):
    save_matcher(tmp_path / "m", net, albef_tokenizer(WORDS), facts=FACTS, preprocessing=PREPARED)
    return tmp_path / "m"


def test_an_opened_matcher_gives_the_same_scores(net, folder, images):
    opened = open_matcher(folder)
    kept = TorchMatcher(net, albef_tokenizer(WORDS), {**FACTS, "files": {}}, preprocessing=PREPARED)
    scores = [one.match(images[:2], one.prepare(TEXTS)).scores for one in (opened, kept)]
    assert np.array_equal(*scores)
    assert len(np.unique(scores[0])) == 6


def test_its_fingerprint_and_facts_are_kept(folder):
    opened = open_matcher(folder)
    assert opened.fingerprint == open_matcher(folder).fingerprint
    assert (opened.domain, opened.preview) == ("synthetic", "abc")


def test_prepared_texts_fit_the_matcher_opened_again(folder, images):
    states = open_matcher(folder).prepare(TEXTS)
    assert open_matcher(folder).match(images[:1], states).scores.shape == (1, 3)


def test_other_preprocessing_is_another_matcher(net, folder, tmp_path):
    other = PREPARED.model_copy(update={"mean": (0.5,)})
    save_matcher(tmp_path / "b", net, albef_tokenizer(WORDS), facts=FACTS, preprocessing=other)
    assert open_matcher(tmp_path / "b").fingerprint != open_matcher(folder).fingerprint


@pytest.mark.parametrize("name", ["weights.safetensors", "tokenizer/tokenizer.json"])
def test_a_changed_file_is_refused(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(MismatchError, match=rf"{name} is missing or changed"):
        open_matcher(folder)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(XemplarError, match=r"no matcher\.json in it"):
        open_matcher(tmp_path)


@pytest.fixture
def checkpoint(net, tmp_path):
    """The network as X-REM would have saved its second stage, and its words."""
    pairs = MatcherNet(net.config.model_copy(update={"dim": None}))
    named = {
        their_name(f"online.{name}", judges_pairs=True): value for name, value in pairs.state_dict().items()
    }
    torch.save({"model": named}, tmp_path / "xrem.pth")
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    return tmp_path / "xrem.pth", pairs


def test_a_checkpoint_becomes_a_folder(checkpoint, tmp_path, images):
    path, net = checkpoint
    import_matcher(path, tmp_path / "m", Choices(tmp_path / "vocab.txt", domain="clinical"), heads=TWO)
    opened = open_matcher(tmp_path / "m")
    assert (opened.domain, opened.preprocessing) == ("clinical", film_preprocessing(16))
    facts = {**FACTS, "files": {}}
    kept = TorchMatcher(net, albef_tokenizer(WORDS), facts, preprocessing=film_preprocessing(16))
    scores = [one.match(images[:2], one.prepare(TEXTS)).scores for one in (opened, kept)]
    assert np.array_equal(*scores)


def test_a_checkpoint_becomes_a_folder_at_another_size(checkpoint, tmp_path):
    import_matcher(checkpoint[0], tmp_path / "m", Choices(tmp_path / "vocab.txt", input_size=32), heads=TWO)
    opened = open_matcher(tmp_path / "m")
    assert (opened.net.config.image.input_size, opened.preprocessing) == (32, film_preprocessing(32))


def test_how_films_go_in_can_be_chosen(checkpoint, tmp_path):
    chosen = Choices(tmp_path / "vocab.txt", preprocessing="openai", fit="squash", precision="bf16")
    import_matcher(checkpoint[0], tmp_path / "m", chosen, heads=TWO)
    opened = open_matcher(tmp_path / "m")
    assert opened.preprocessing == openai_preprocessing(16).model_copy(update={"fit": "squash"})
    assert opened.net.config.precision == "bf16"


def test_a_squashed_film_goes_through_no_letterbox(checkpoint, tmp_path):
    import_matcher(checkpoint[0], tmp_path / "m", Choices(tmp_path / "vocab.txt", fit="squash"), heads=TWO)
    film = np.zeros((40, 40), np.float32)
    film[:, 10:30] = 1.0
    prepared = open_matcher(tmp_path / "m").preprocessing.prepare(film)
    assert len(np.unique(prepared)) == 1  # stretched over all of it: no black is left


@pytest.mark.parametrize(("size", "said"), [
    (20, "an input size of 20: 20 px can't be cut into patches of 8 px; wanted a multiple of 8 px"),
    (0, "an input size of 0"),
    (100_000, "an input size of 100000"),
])  # fmt: skip
def test_an_impossible_size_writes_nothing(checkpoint, tmp_path, size, said):
    with pytest.raises(XemplarError, match=said):
        import_matcher(
            checkpoint[0], tmp_path / "m", Choices(tmp_path / "vocab.txt", input_size=size), heads=TWO
        )
    assert not (tmp_path / "m").exists()


def test_a_matcher_that_only_judges_pairs_is_no_encoder(checkpoint, tmp_path):
    import_matcher(checkpoint[0], tmp_path / "m", Choices(tmp_path / "vocab.txt"), heads=TWO)
    with pytest.raises(XemplarError, match="only judges pairs has no vectors; wanted a model with a shared"):
        open_model(tmp_path / "m")


def test_a_matcher_with_a_shared_space_opens_as_an_encoder(folder, images):
    opened, matcher = open_model(folder), open_matcher(folder)
    assert isinstance(opened, Encoder)
    assert (opened.dim, opened.fingerprint) == (4, matcher.fingerprint)
    assert np.array_equal(opened.encode_images(images[:2]), matcher.encode_images(images[:2]))


def test_a_vocabulary_of_another_size_writes_nothing(checkpoint, tmp_path):
    path, _ = checkpoint
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS[:-1]))
    with pytest.raises(MismatchError, match="a vocabulary of 9 pieces; wanted 10, the checkpoint's"):
        import_matcher(path, tmp_path / "m", Choices(tmp_path / "vocab.txt"), heads=TWO)
    assert not (tmp_path / "m").exists()


def test_a_folder_that_holds_something_is_not_written_over(checkpoint, tmp_path, folder):
    with pytest.raises(XemplarError, match="the folder holds other files"):
        import_matcher(checkpoint[0], folder, Choices(tmp_path / "vocab.txt"), heads=TWO)
