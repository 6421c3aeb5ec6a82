"""ALBEF's and X-REM's checkpoints, as a user brings them in, looks at them and searches with them."""

import json

import numpy as np
import pytest
import torch
from commands import draw, refused, xemplar
from safetensors.torch import save_file

from xemplar.errors import MismatchError
from xemplar.images import load_film
from xemplar.models.checkpoints.albef import Heads, import_albef, is_albef, their_name
from xemplar.models.checkpoints.folder import Choices, import_checkpoint
from xemplar.models.config import MatcherConfig
from xemplar.models.matcher_folder import open_matcher
from xemplar.models.momentum import MomentumMatcher

WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "small", "left", "right", "pleural", "effusion",
    "##s", ".", "the", "heart", "is", "normal",
]  # fmt: skip
SIZES = {
    "image": {"input_size": 16, "patch": 8, "width": 12, "depth": 1, "heads": 2},
    "text": {
        "vocabulary": len(WORDS), "width": 8, "layers": 2, "fusion": 1, "heads": 4, "inner": 16,
        "positions": 40, "max_tokens": 40, "cls_token": 2, "sep_token": 3, "mask_token": 4,
    },
    "dim": 6, "queue": 4,
}  # fmt: skip


def written(path, **changes):
    """A checkpoint as ALBEF's program saves one, the momentum copy and the queues with it."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        matcher = MomentumMatcher(MatcherConfig.model_validate({**SIZES, **changes}))
    pairs = matcher.config.dim is None
    names = {name: their_name(name, judges_pairs=pairs) for name in matcher.state_dict()}
    weights = {theirs: matcher.state_dict()[name] for name, theirs in names.items() if theirs is not None}
    torch.save({"model": weights, "epoch": 1}, path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """albef.pth, xrem.pth (which only judges pairs) and their vocab.txt."""
    folder = tmp_path_factory.mktemp("albef")
    written(folder / "albef.pth")
    written(folder / "xrem.pth", dim=None, classes=3, head="mlp")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    return folder


def taken(made, name, out, *more):
    given = ("--tokenizer", made / "vocab.txt", "--heads", "2,4", *more)
    return xemplar("model", "import", made / name, "--out", out, *given).stdout


def test_albef_is_told_by_its_keys_and_shown(made, tmp_path):
    said = taken(made, "albef.pth", tmp_path / "m", "--domain", "clinical", "--trained-on", "films")
    assert "matcher of images and texts, after ALBEF and X-REM" in said
    facts = json.loads(xemplar("model", "show", tmp_path / "m", "--json").stdout)
    opened = open_matcher(tmp_path / "m")
    wanted = {
        "architecture": "matcher", "dim": 6, "searches": True, "classes": 2, "domain": "clinical",
        "fingerprint": opened.fingerprint, "trained_on": "films", "licence": "not stated",
        "imported_from": "albef.pth", "text_tokens": 40, "head": "linear",
    }  # fmt: skip
    assert {name: facts[name] for name in wanted} == wanted
    assert (facts["sizes"]["image"]["heads"], facts["sizes"]["text"]["heads"]) == (2, 4)
    assert facts["image"]["letterbox"] == 320
    assert xemplar("model", "show", tmp_path / "m").stdout == said


def test_xrems_second_stage_is_told_by_its_keys(made, tmp_path):
    taken(made, "xrem.pth", tmp_path / "m", "--input-size", 32)
    facts = json.loads(xemplar("model", "show", tmp_path / "m", "--json").stdout)
    assert (facts["dim"], facts["searches"], facts["classes"], facts["head"]) == (None, False, 3, "mlp")
    assert facts["sizes"]["image"]["input_size"] == facts["image"]["input_size"] == 32


def test_what_is_wrapped_or_named_by_ddp_is_told_too(made, tmp_path):
    held = torch.load(made / "albef.pth", weights_only=True)["model"]
    named = {f"module.{name}": value.clone() for name, value in held.items()}
    save_file(named, tmp_path / "ddp.safetensors")
    assert is_albef(tmp_path / "ddp.safetensors")
    save_file(
        {name: value for name, value in named.items() if "cross" not in name}, tmp_path / "no.safetensors"
    )
    assert not is_albef(tmp_path / "no.safetensors")


def test_a_folder_with_a_vocabulary_will_do(made, tmp_path):
    given = ("--tokenizer", made, "--heads", "2,4")
    xemplar("model", "import", made / "albef.pth", "--out", tmp_path / "m", *given)
    assert len(open_matcher(tmp_path / "m").tokenizer) == len(WORDS)


@pytest.mark.parametrize(("arguments", "said"), [
    (("--tokenizer", "VOCAB"), r"nothing says how many heads; wanted multiples of 64"),
    (("--tokenizer", "VOCAB"), "say how many: --heads IMAGE,TEXT"),
    (("--tokenizer", "VOCAB", "--heads", "5,4"), "aren't 64 wide: --heads IMAGE,TEXT"),
    (("--tokenizer", "VOCAB", "--heads", "2"), "--heads '2'; wanted IMAGE,TEXT, as 12,12"),
    (("--tokenizer", "VOCAB", "--heads", "2,x"), "--heads '2,x'; wanted IMAGE,TEXT"),
    (("--tokenizer", "VOCAB", "--heads", "0,4"), "--heads '0,4'; wanted IMAGE,TEXT"),
    (("--heads", "2,4"), "has no words of its own; wanted the vocab.txt"),
    (("--heads", "2,4", "--tokenizer", "VOCAB", "--input-size", "20"), "wanted a multiple of 8 px"),
    (("--heads", "2,4", "--tokenizer", "VOCAB", "--preprocessing", "mine"), "preprocessing 'mine'; wanted"),
    (("--heads", "2,4", "--tokenizer", "VOCAB", "--vectors", "t"), "either a checkpoint or --vectors TABLE"),
    (("--heads", "2,4", "--maker", "m"), "a checkpoint takes no --maker"),
])  # fmt: skip
def test_mistakes_are_told_in_a_line_and_nothing_is_written(made, tmp_path, arguments, said):
    arguments = [made / "vocab.txt" if one == "VOCAB" else one for one in arguments]
    assert said in refused("model", "import", made / "albef.pth", "--out", tmp_path / "m", *arguments)
    assert not (tmp_path / "m").exists()


def test_heads_are_no_option_of_other_checkpoints(tmp_path):
    save_file({"visual.proj": torch.zeros(2, 2)}, tmp_path / "clip.safetensors")
    line = refused(
        "model", "import", tmp_path / "clip.safetensors", "--heads", "2,4", "--out", tmp_path / "m"
    )
    assert "--heads belongs to ALBEF's and X-REM's checkpoints" in line
    table = ("--vectors", "t", "--corpus", "c", "--maker", "m", "--heads", "2,4")
    assert "--vectors takes no --heads" in refused("model", "import", "--out", tmp_path / "m", *table)


def test_a_truncated_checkpoint_is_one_line(made, tmp_path):
    (tmp_path / "a.pth").write_bytes((made / "albef.pth").read_bytes()[:3000])
    line = refused("model", "import", tmp_path / "a.pth", "--out", tmp_path / "m")
    assert "can't be read as a checkpoint" in line


def test_a_checkpoint_without_its_image_tower_says_what_it_lacks(made, tmp_path):
    held = torch.load(made / "albef.pth", weights_only=True)["model"]
    torch.save({n: v for n, v in held.items() if not n.startswith("visual_encoder.")}, tmp_path / "a.pth")
    given = ("--tokenizer", made / "vocab.txt", "--heads", "2,4")
    line = refused("model", "import", tmp_path / "a.pth", "--out", tmp_path / "m", *given)
    assert "visual_encoder.pos_embed" in line and "wanted a checkpoint of ALBEF or X-REM" in line


def test_the_function_for_clips_names_the_one_for_matchers(made, tmp_path):
    with pytest.raises(MismatchError, match=r"looks like ALBEF's or X-REM's; .* import_matcher read"):
        import_checkpoint(made / "albef.pth", tmp_path / "m", Choices(tokenizer=made / "vocab.txt"))


def test_a_matcher_is_not_exported(made, tmp_path):
    taken(made, "albef.pth", tmp_path / "m")
    assert "m: a matcher, which is not exported" in refused(
        "model", "export", tmp_path / "m", "--out", tmp_path / "out"
    )
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def indexed(made, phantom_corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched")
    taken(made, "albef.pth", folder / "m", "--domain", "synthetic")
    xemplar("index", phantom_corpus.folder, "--model", folder / "m", "--out", folder / "index")
    return folder


def test_a_matcher_indexes_and_searches_by_image(indexed, phantom_corpus, tmp_path):
    film = draw(tmp_path / "film.dcm")
    done = xemplar("search", indexed / "index", "--image", film, "--kind", "image", "-k", 3, "--json")
    encoder = open_matcher(indexed / "m")
    views = {view.view_id: study.study_id for study in phantom_corpus.part("train") for view in study.views}
    held = encoder.encode_images(phantom_corpus.previews(list(views)))
    image = load_film(film, phantom_corpus.settings.preview).image
    cosine = held @ encoder.encode_images([image])[0]
    best = {}
    for place in np.argsort(-cosine):
        best.setdefault(list(views.values())[place], cosine[place])
    scores = [hit["score"] for hit in json.loads(done.stdout)["hits"]]
    np.testing.assert_allclose(scores, list(best.values())[:3], atol=1e-5)


def test_a_matcher_indexes_and_searches_by_words(indexed):
    query = "small left pleural effusion"
    done = xemplar("search", indexed / "index", query, "--kind", "sentence", "-k", 3, "--json")
    hits = json.loads(done.stdout)["hits"]
    encoder = open_matcher(indexed / "m")
    wanted = encoder.encode_texts([hit["text"] for hit in hits]) @ encoder.encode_texts([query])[0]
    np.testing.assert_allclose([hit["score"] for hit in hits], wanted, atol=1e-5)
    assert len(hits) == 3


def test_a_matcher_that_only_judges_pairs_indexes_nothing(made, phantom_corpus, tmp_path):
    taken(made, "xrem.pth", tmp_path / "m")
    line = refused("index", phantom_corpus.folder, "--model", tmp_path / "m", "--out", tmp_path / "index")
    assert "only judges pairs has no vectors; wanted a model with a shared space" in line
    assert not (tmp_path / "index").exists()


@pytest.mark.shared
@pytest.mark.parametrize(("name", "head"), [("state_dict", "inference"), ("itm3_state_dict", "itm3")])
def test_the_originals_logits_from_the_folder(golden, tmp_path, name, head):
    """Their checkpoint, imported by the command line, gives their logits of pairs and no other."""
    for case in sorted(path for path in (golden / "albef_tiny").iterdir() if path.is_dir()):
        sizes = json.loads((case / "config.json").read_text())["case"]
        words = json.loads((case / "tokenizer.json").read_text())["vocab"]
        source, out = case / f"{name}.safetensors", tmp_path / case.name
        (tmp_path / "vocab.txt").write_text("\n".join(words))
        given = ("--tokenizer", tmp_path / "vocab.txt", "--heads", f"{sizes['heads']},{sizes['bheads']}")
        xemplar("model", "import", source, "--out", out, *given)
        net = open_matcher(out).net
        same = import_albef(source, heads=Heads(sizes["heads"], sizes["bheads"])).online
        assert all(torch.equal(value, same.state_dict()[key]) for key, value in net.state_dict().items())
        with np.load(case / "inference.npz", allow_pickle=False) as held:
            batch = {key: torch.from_numpy(held[key]) for key in ("image", "input_ids", "attention_mask")}
            wanted = held["itm2_logits"]
        with np.load(case / f"{head}.npz", allow_pickle=False) as held:
            if head == "itm3":
                wanted = held["logits_all_pairs"]
                batch |= {key: torch.from_numpy(held[key]) for key in batch if key in held}
        with torch.no_grad():
            states = net.text(batch["input_ids"], batch["attention_mask"])
            for row, image in enumerate(net.image(batch["image"])):
                pairs = image.expand(len(states), -1, -1)
                found = net.itm_logits(net.fused(states, batch["attention_mask"], pairs))
                np.testing.assert_allclose(found, wanted[row], atol=1e-4, rtol=1e-4)
