"""The matcher's networks: positions, fusion, the slow copy, the queue, and checkpoints that don't fit."""

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional
from transformers import BertConfig, BertModel, ViTConfig, ViTModel

from xemplar.errors import MismatchError, XemplarError
from xemplar.models.checkpoints.albef import Heads, albef_tokenizer, import_albef, their_name
from xemplar.models.config import MatcherConfig
from xemplar.models.matcher import MatcherNet
from xemplar.models.momentum import MomentumMatcher, pair_matcher
from xemplar.models.preprocessing import OPENAI_MEAN, OPENAI_STD
from xemplar.models.vit import interpolate_positions

IMAGE = {
    "input_size": 16, "patch": 8, "width": 12, "depth": 2, "heads": 3, "mean": OPENAI_MEAN, "std": OPENAI_STD,
}  # fmt: skip
TEXT = {
    "vocabulary": 30, "width": 8, "layers": 3, "fusion": 2, "heads": 2, "inner": 16, "positions": 20,
    "max_tokens": 20, "cls_token": 2, "sep_token": 3, "mask_token": 4,
}  # fmt: skip
HEADS = Heads(image=3, text=2)


def config(**rest):
    return MatcherConfig.model_validate({"image": IMAGE, "text": TEXT, "dim": 6, "queue": 5, **rest})


@pytest.fixture
def matcher():
    torch.manual_seed(0)
    return MomentumMatcher(config())


@pytest.fixture
def tokens():
    return torch.tensor([[2, 7, 8, 9], [2, 11, 0, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])


def theirs(matcher):
    """A matcher's weights as ALBEF would have saved them."""
    pairs = matcher.config.dim is None
    named = {their_name(name, judges_pairs=pairs): value for name, value in matcher.state_dict().items()}
    named.pop(None, None)
    if not pairs:
        for slow in ("", "_m"):
            text = f"text_encoder{slow}"
            named[f"{text}.bert.embeddings.position_ids"] = torch.arange(20)[None]
            named[f"{text}.cls.predictions.decoder.weight"] = named[
                f"{text}.bert.embeddings.word_embeddings.weight"
            ]
            named[f"{text}.cls.predictions.decoder.bias"] = named[f"{text}.cls.predictions.bias"]
    return {name: value.clone() for name, value in named.items()}


def test_the_same_grid_keeps_its_positions():
    positions = torch.randn(1, 10, 4)
    assert torch.equal(interpolate_positions(positions, 3), positions)


def test_other_positions_are_bicubic_and_cls_stays():
    positions = torch.randn(1, 10, 4)
    found = interpolate_positions(positions, 5)
    square = positions[0, 1:].T.view(1, 4, 3, 3)
    expected = functional.interpolate(square, size=(5, 5), mode="bicubic", align_corners=False)
    assert torch.equal(found[0, 0], positions[0, 0])
    torch.testing.assert_close(found[0, 1:].T.view(1, 4, 5, 5), expected)


def test_positions_of_no_square_are_refused():
    with pytest.raises(XemplarError, match=r"9 positions; wanted \[CLS\] and a square grid"):
        interpolate_positions(torch.zeros(1, 9, 4), 3)


def test_the_image_tower_is_transformers_vit():
    torch.manual_seed(1)
    own = MatcherNet(config()).image
    peer = ViTModel(
        ViTConfig(hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48,
                  image_size=16, patch_size=8, layer_norm_eps=1e-6), add_pooling_layer=False,
    ).eval()  # fmt: skip
    weights = {
        "embeddings.cls_token": own.cls_token, "embeddings.position_embeddings": own.pos_embed,
        "embeddings.patch_embeddings.projection.weight": own.patches.weight,
        "embeddings.patch_embeddings.projection.bias": own.patches.bias,
        "layernorm.weight": own.norm.weight, "layernorm.bias": own.norm.bias,
    }  # fmt: skip
    held = peer.state_dict()
    prefix = next(name for name in held if "layer" in name and ".0." in name).split(".0.")[0]
    for place, block in enumerate(own.blocks):
        for name in [name for name in held if name.startswith(f"{prefix}.{place}.")]:
            part, kind = name.removeprefix(f"{prefix}.{place}.").rsplit(".", 1)
            weights[name] = _counterpart(block, part, kind)
    peer.load_state_dict({name: value.detach() for name, value in weights.items()})
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(own.eval()(images), peer(images).last_hidden_state)


def _counterpart(block, part, kind):
    for places, which in ((("query", "q_proj"), 0), (("key", "k_proj"), 1), (("value", "v_proj"), 2)):
        if part.endswith(places):
            return getattr(block.qkv, kind).chunk(3)[which]
    if part.endswith(("attention.output.dense", "o_proj")):
        return getattr(block.out, kind)
    if part.endswith(("intermediate.dense", "fc1")):
        return getattr(block.fc1, kind)
    if part.endswith(("layernorm_before", "layernorm_after")):
        return getattr(block.norm1 if part.endswith("before") else block.norm2, kind)
    assert part.endswith(("output.dense", "fc2")), part
    return getattr(block.fc2, kind)


def test_the_text_layers_are_transformers_bert(tokens):
    torch.manual_seed(1)
    own = MatcherNet(config(text={**TEXT, "fusion": 2})).text.eval()
    peer = BertModel(
        BertConfig(vocab_size=30, hidden_size=8, num_hidden_layers=2, num_attention_heads=2,
                   intermediate_size=16, max_position_embeddings=20), add_pooling_layer=False,
    ).eval()  # fmt: skip
    named = {
        their_name(f"online.text.{name}", judges_pairs=True): value
        for name, value in own.state_dict().items()
    }
    held = {name.removeprefix("text_encoder."): value for name, value in named.items()}
    peer.load_state_dict({name: held[name] for name in peer.state_dict()})
    ids, mask = tokens
    with torch.no_grad():
        expected = peer(input_ids=ids, attention_mask=mask).last_hidden_state
        torch.testing.assert_close(own(ids, mask)[mask.bool()], expected[mask.bool()])


def test_a_word_behind_sees_no_less_than_one_before(matcher, tokens):
    """Fusion is not causal: the last word reaches the first."""
    ids, mask = tokens
    changed = ids.clone()
    changed[0, 3] = 12
    image = torch.randn(2, 5, 12)
    net = matcher.online.eval()
    with torch.no_grad():
        one, other = (net.fused(net.text.words(part), mask, image) for part in (ids, changed))
    assert (one[0] - other[0]).abs().max() > 1e-6
    assert torch.equal(one[1], other[1])


def test_padding_changes_nothing(matcher, tokens):
    ids, mask = tokens
    image = torch.randn(1, 5, 12)
    net = matcher.online.eval()
    with torch.no_grad():
        short = net.fused(net.text(ids[1:, :2], mask[1:, :2]), mask[1:, :2], image)
        long = net.fused(net.text(ids[1:], mask[1:]), mask[1:], image)
    torch.testing.assert_close(short, long)


def test_the_first_token_alone_is_the_first_of_all(matcher, tokens):
    ids, mask = tokens
    net, image = matcher.online.eval(), torch.randn(2, 5, 12)
    with torch.no_grad():
        states, keys = net.text(ids, mask), net.text.image_keys(image)
        every, first = net.text.fuse(states, mask, keys), net.text.fuse(states, mask, keys, first=True)
    torch.testing.assert_close(first[:, 0], every[:, 0])


def test_a_text_beyond_its_positions_is_refused(matcher):
    with pytest.raises(XemplarError, match="texts of 21 tokens; wanted at most 20"):
        matcher.online.text(torch.zeros(1, 21, dtype=torch.long), torch.ones(1, 21))


def test_an_image_of_another_size_is_refused(matcher):
    with pytest.raises(XemplarError, match="images of 24 x 24 px; wanted 16 x 16"):
        matcher.online.image(torch.zeros(1, 3, 24, 24))


def test_a_resized_matcher_takes_the_other_size_copy_and_all(matcher):
    matcher.resize(24)
    assert matcher.config.image.input_size == 24
    for net in (matcher.online, matcher.momentum):
        assert net.image(torch.zeros(1, 3, 24, 24)).shape == (1, 10, 12)


def test_a_size_that_patches_do_not_fill_is_refused(matcher):
    with pytest.raises(XemplarError, match="images of 20 px; wanted a multiple of 8 px"):
        matcher.resize(20)


def test_the_copy_follows_by_its_share(matcher):
    before = {name: value.clone() for name, value in matcher.momentum.named_parameters()}
    for parameter in matcher.online.parameters():
        parameter.data.add_(1.0)
    matcher.follow()
    for name, value in matcher.momentum.named_parameters():
        torch.testing.assert_close(value, before[name] + 0.005)


def test_the_copy_takes_no_gradient_and_does_not_judge(matcher):
    assert not any(parameter.requires_grad for parameter in matcher.momentum.parameters())
    assert matcher.momentum.itm_head is None


def test_a_new_queue_is_empty(matcher):
    assert [len(part) for part in matcher.queued()] == [0, 0, 0]


def test_the_queue_goes_round_the_end(matcher):
    for start in (0, 3):
        rows = torch.arange(start, start + 3.0)[:, None].expand(3, 6)
        matcher.enqueue(rows, -rows, torch.arange(start, start + 3))
    images, texts, keys = matcher.queued()
    assert images[:, 0].tolist() == [5, 1, 2, 3, 4]
    assert texts[:, 0].tolist() == [-5, -1, -2, -3, -4]
    assert keys.tolist() == [5, 1, 2, 3, 4]


def test_of_more_than_the_queue_holds_the_last_stay(matcher):
    rows = torch.arange(7.0)[:, None].expand(7, 6)
    matcher.enqueue(rows, rows)
    assert sorted(matcher.queued()[0][:, 0].tolist()) == [2, 3, 4, 5, 6]


def test_a_pair_matcher_has_the_towers_and_a_new_head(matcher):
    found = pair_matcher(matcher, input_size=24)
    assert (found.config.classes, found.config.dim, found.config.image.input_size) == (3, None, 24)
    assert torch.equal(found.online.text.words.weight, matcher.online.text.words.weight)
    assert torch.equal(found.momentum.itm_head[0].weight, found.online.itm_head[0].weight)
    assert matcher.config.image.input_size == 16


@pytest.mark.parametrize(("change", "said"), [
    ({"image": {**IMAGE, "heads": 5}}, "a width of 12 can't be shared by 5 heads"),
    ({"image": {**IMAGE, "input_size": 20}}, "20 px can't be cut into patches of 8 px"),
    ({"text": {**TEXT, "fusion": 3}}, "fusion begins with layer 3 of 3"),
    ({"text": {**TEXT, "max_tokens": 21}}, "21 tokens for 20 positions"),
    ({"text": {**TEXT, "mask_token": 30}}, "a mark is beyond 30 words"),
])  # fmt: skip
def test_sizes_that_do_not_fit_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        config(**change)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("rest", [{}, {"dim": None, "classes": 3, "head": "mlp"}])
def test_a_checkpoint_comes_back_as_it_was(tmp_path, suffix, rest):
    matcher = MomentumMatcher(config(**rest))
    path = tmp_path / f"checkpoint.{suffix}"
    if suffix == "pth":
        torch.save({"model": theirs(matcher), "epoch": 3, "config": {"queue_size": 5}}, path)
    else:
        save_file(theirs(matcher), path)
    found = import_albef(path, heads=HEADS)
    held = found.state_dict()
    for name, value in matcher.state_dict().items():
        assert name == "queue_filled" or torch.equal(held[name], value), name
    for part in ("image", "text", "dim", "classes", "head"):
        assert getattr(found.config, part) == getattr(matcher.config, part)


def _saved(tmp_path, matcher, change):
    weights = theirs(matcher)
    change(weights)
    path = tmp_path / "checkpoint.safetensors"
    save_file(weights, path)
    return path


def test_every_weight_that_does_not_fit_is_named(tmp_path, matcher):
    def change(weights):
        for name in ("vision_proj_m.bias", "text_encoder.bert.encoder.layer.1.output.dense.weight"):
            del weights[name]
        weights["idx_queue"] = torch.zeros(1, 5)
        weights["itm_head.bias"] = torch.zeros(4)

    path = _saved(tmp_path, matcher, change)
    said = (
        r"2 missing: text_encoder\.bert\.encoder\.layer\.1\.output\.dense\.weight, vision_proj_m\.bias; "
        r"1 unexpected: idx_queue; 1 misshapen: itm_head\.bias is \(4,\) and not \(2,\)"
    )
    with pytest.raises(MismatchError, match=said):
        import_albef(path, heads=HEADS)


def test_however_many_are_missing_all_are_named(tmp_path, matcher):
    gone = [name for name in theirs(matcher) if name.startswith("text_encoder_m.bert.encoder.layer.2.")]
    path = _saved(tmp_path, matcher, lambda held: [held.pop(name) for name in gone])
    with pytest.raises(MismatchError) as told:
        import_albef(path, heads=HEADS)
    assert len(gone) == 26
    assert all(name in str(told.value) for name in gone)


def test_a_decoder_that_is_not_tied_is_refused(tmp_path, matcher):
    path = _saved(tmp_path, matcher, lambda held: held["text_encoder.cls.predictions.decoder.bias"].add_(1))
    with pytest.raises(MismatchError, match="wanted tied weights"):
        import_albef(path, heads=HEADS)


def test_a_checkpoint_without_copy_gets_one(tmp_path, matcher):
    def change(weights):
        for name in [name for name in weights if "_m." in name or "queue" in name]:
            del weights[name]

    found = import_albef(_saved(tmp_path, matcher, change), heads=HEADS)
    assert torch.equal(found.momentum.text.words.weight, matcher.online.text.words.weight)
    assert len(found.queued()[0]) == 0


def test_an_imported_queue_is_full(tmp_path, matcher):
    found = import_albef(_saved(tmp_path, matcher, lambda held: None), heads=HEADS)
    assert len(found.queued()[0]) == 5


def test_a_checkpoint_is_read_at_another_resolution(tmp_path, matcher):
    torch.nn.init.normal_(matcher.online.image.pos_embed)
    found = import_albef(_saved(tmp_path, matcher, lambda held: None), heads=HEADS, input_size=32)
    assert found.online.image.pos_embed.shape == found.momentum.image.pos_embed.shape == (1, 17, 12)
    torch.testing.assert_close(
        found.online.image.pos_embed, interpolate_positions(matcher.online.image.pos_embed, 4)
    )


def test_heads_that_do_not_fit_are_refused(tmp_path, matcher):
    path = _saved(tmp_path, matcher, lambda held: None)
    with pytest.raises(MismatchError, match=r"a width of 12 can't be shared by 5 heads.*say how many"):
        import_albef(path, heads=Heads(5, 2))


def test_heads_that_nobody_named_are_not_guessed(tmp_path, matcher):
    path = _saved(tmp_path, matcher, lambda held: None)
    with pytest.raises(MismatchError, match="towers 12 and 8 wide, and nothing says how many heads"):
        import_albef(path)


def test_another_architecture_is_refused(tmp_path):
    path = tmp_path / "clip.safetensors"
    save_file({"visual.conv1.weight": torch.zeros(4, 3, 8, 8)}, path)
    with pytest.raises(MismatchError, match=r"visual_encoder\.pos_embed.*wanted a checkpoint of ALBEF"):
        import_albef(path)


def test_a_truncated_checkpoint_is_one_error(tmp_path, matcher):
    path = tmp_path / "checkpoint.pth"
    torch.save({"model": theirs(matcher)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(XemplarError, match="can't be read"):
        import_albef(path, heads=HEADS)


def test_a_tokenizer_ends_without_sep():
    tokenizer = albef_tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "effusion", "##s"])
    assert tokenizer("No effusions, xyz")["input_ids"] == [2, 5, 6, 7, 1, 1]


def test_a_vocabulary_without_berts_marks_is_refused():
    with pytest.raises(XemplarError, match=r"a vocabulary without \[UNK\], \[MASK\]"):
        albef_tokenizer(["[PAD]", "[CLS]", "[SEP]", "no"])


def test_a_vocabulary_that_is_no_file_is_refused(tmp_path):
    with pytest.raises(XemplarError, match=r"no vocabulary can be read; wanted a vocab\.txt"):
        albef_tokenizer(tmp_path / "vocab.txt")
