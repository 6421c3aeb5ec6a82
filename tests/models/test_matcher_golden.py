"""ALBEF's and X-REM's own numbers, weights through our importer: forward passes, losses, one step."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from xemplar.models.blocks import decay_groups
from xemplar.models.checkpoints.albef import (
    Heads,
    albef_tokenizer,
    clean_caption,
    import_albef,
    their_name,
)
from xemplar.models.vit import interpolate_positions
from xemplar.training.objectives.matcher import (
    Draws,
    Pairs,
    matching_logits,
    matching_loss,
    pretraining_losses,
)
from xemplar.training.objectives.momentum import (
    Paired,
    matching_pairs,
    negative_weights,
)

pytestmark = pytest.mark.shared
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


def tensors(path):
    with np.load(path, allow_pickle=False) as held:
        return {name: torch.from_numpy(held[name]) for name in held if held[name].dtype.kind in "fiub"}


def cases(folder):
    return sorted(path for path in folder.iterdir() if path.is_dir())


def close(ours, theirs):
    np.testing.assert_allclose(ours.detach().numpy(), np.asarray(theirs), **CLOSE)


def settings(case):
    return json.loads((case / "config.json").read_text())


def imported(case, name="state_dict.safetensors"):
    sizes = settings(case)["case"]
    return import_albef(case / name, heads=Heads(image=sizes["heads"], text=sizes["bheads"]))


def each_case(test):
    """Every case of the folder, whichever there are: sizes differ."""

    def run(golden):
        found = cases(golden / "albef_tiny")
        assert found
        for case in found:
            test(case)

    run.__name__ = test.__name__
    return run


@each_case
def test_inference(case):
    matcher, golden = imported(case), tensors(case / "inference.npz")
    net = matcher.online
    mask = golden["attention_mask"]
    with torch.no_grad():
        image, text = net.image(golden["image"]), net.text(golden["input_ids"], mask)
        close(image, golden["image_embeds"])
        close(text, golden["text_embeds"])
        close(net.image_vectors(image), golden["image_feat"])
        close(net.text_vectors(text), golden["text_feat"])
        close(net.image_vectors(image) @ net.text_vectors(text).T, golden["itc_cosine"])
        close(golden["itc_cosine"] / matcher.temperature, golden["itc_sim_over_temp"])
        for row in range(len(image)):
            one = [(k.expand(len(text), -1, -1, -1), v.expand(len(text), -1, -1, -1))
                   for k, v in net.text.image_keys(image[row : row + 1])]  # fmt: skip
            close(net.text.fuse(text, mask, one), golden["fusion_hidden"][row])
            first = net.text.fuse(text, mask, one, first=True)[:, 0]
            close(first, golden["fusion_cls"][row])
            close(net.itm_logits(first), golden["itm2_logits"][row])
    grid = int(golden["pos_embed_res2"]) // net.config.image.patch
    close(interpolate_positions(net.image.pos_embed, grid), golden["pos_embed_interpolated"])


def step(case, alpha):
    """Losses of a pretraining step with the draws that were recorded, and the matcher behind it."""
    golden, batch = tensors(case / f"pretrain_alpha{alpha}.npz"), tensors(case / "inference.npz")
    matcher = imported(case).train()
    draws = Draws(
        golden["neg_image_idx"], golden["neg_text_idx"], golden["mlm_input_ids"], golden["mlm_labels"]
    )
    pairs = Pairs(batch["image"], batch["input_ids"], batch["attention_mask"])
    losses = pretraining_losses(matcher, pairs, float(alpha), draws=draws)
    return golden, matcher, losses, pairs


@pytest.mark.parametrize("alpha", ["0.4", "0"])
def test_pretraining_step(golden, alpha):
    for case in cases(golden / "albef_tiny"):
        told, matcher, losses, _ = step(case, alpha)
        close(losses.itc, told["loss_ita"])
        close(losses.itm, told["loss_itm"])
        close(losses.mlm, told["loss_mlm"])
        close(matcher.temperature, told["temp_after"])
        close(matcher.image_queue, told["image_queue_after"])
        close(matcher.text_queue, told["text_queue_after"])
        assert matcher.queue_at.tolist() == told["queue_ptr_after"].tolist()
        assert losses.left_out == 0
        losses.total.backward()
        grads = {
            their_name(name, judges_pairs=False): parameter.grad
            for name, parameter in matcher.named_parameters()
            if parameter.requires_grad
        }
        theirs = load_file(case / f"grads_alpha{alpha}.safetensors")
        assert theirs.keys() <= grads.keys()
        for name, gradient in theirs.items():
            close(grads[name], gradient)
        with np.load(case / f"pretrain_alpha{alpha}.npz") as held:
            norms = dict(zip(held["grad_norm_names"].tolist(), held["grad_norms"].tolist(), strict=True))
        assert norms.keys() == grads.keys()
        for name, norm in norms.items():
            np.testing.assert_allclose(float(grads[name].norm()), norm, err_msg=name, **CLOSE)


@each_case
def test_inside_a_step(case):
    """Similarities to the copy's vectors and the queue, what ITM judges, and MLM's logits of both."""
    told, batch = tensors(case / "pretrain_alpha0.4.npz"), tensors(case / "inference.npz")
    matcher, mask = imported(case).train(), batch["attention_mask"]
    net, slow = matcher.online, matcher.momentum
    with torch.no_grad():
        matcher.clamp_temperature()
        matcher.follow()
        states = net.image(batch["image"]), net.text(batch["input_ids"], mask)
        copies = slow.image(batch["image"]), slow.text(batch["input_ids"], mask)
        own = Paired(net.image_vectors(states[0]), net.text_vectors(states[1]))
        copy = Paired(slow.image_vectors(copies[0]), slow.text_vectors(copies[1]))
        films, words, _ = matcher.queued()
        for vectors, suffix in ((own, ""), (copy, "_m")):
            found = vectors.images @ torch.cat([copy.texts, words]).T / matcher.temperature
            close(found, told[f"sim_i2t{suffix}"])
            found = vectors.texts @ torch.cat([copy.images, films]).T / matcher.temperature
            close(found, told[f"sim_t2i{suffix}"])
        pairs = matching_pairs(told["neg_image_idx"], told["neg_text_idx"])
        fused = net.fused(states[1][pairs.texts], mask[pairs.texts], states[0][pairs.images])
        close(fused, told["itm_vl_embeddings"])
        close(net.itm_logits(fused), told["itm_logits"])
        assert pairs.labels.tolist() == told["itm_labels"].tolist()
        for one, image, name in ((net, states[0], "mlm_logits"), (slow, copies[0], "mlm_teacher_logits")):
            words = one.text(told["mlm_input_ids"], mask)
            close(one.word_logits(one.text.fuse(words, mask, one.text.image_keys(image))), told[name])


@each_case
def test_momentum_after_a_step(case):
    _, matcher, _, _ = step(case, "0.4")
    theirs = load_file(case / "momentum_after.safetensors")
    ours = {their_name(name, judges_pairs=False): value for name, value in matcher.state_dict().items()}
    compared = [name for name in theirs if name in ours]
    tied = {name for name in theirs if "decoder" in name or "position_ids" in name}
    assert set(theirs) - set(compared) <= tied
    for name in compared:
        close(ours[name], theirs[name])


@each_case
def test_adamw_step(case):
    _, matcher, losses, _ = step(case, "0.4")
    told = json.loads((case / "adamw.json").read_text())
    groups = decay_groups(matcher, told["weight_decay"])
    assert [len(group["params"]) for group in groups] == [group["n"] for group in told["groups"]]
    losses.total.backward()
    torch.optim.AdamW(groups, lr=told["lr"]).step()
    theirs = load_file(case / "params_after_adamw.safetensors")
    ours = {their_name(name, judges_pairs=False): value for name, value in matcher.named_parameters()}
    assert theirs
    for name, values in theirs.items():
        moved = ours[name].grad.abs() > 1e-6
        close(ours[name][moved], values[moved])


@each_case
def test_three_classes(case):
    golden = tensors(case / "itm3.npz")
    for alpha in ("0.4", "0"):
        matcher = imported(case, "itm3_state_dict.safetensors").train()
        assert matcher.config.classes == 3
        pairs = Pairs(golden["image"], golden["input_ids"], golden["attention_mask"])
        close(matching_logits(matcher.online, pairs), golden["logits_paired"])
        loss = matching_loss(matcher, pairs, golden["targets"], alpha=float(alpha))
        close(loss, golden[f"loss_alpha{alpha}"])
        if alpha == "0.4":
            loss.backward()
            close(matcher.online.itm_head[2].weight.grad, golden["grad_cls_head.2.weight"])
            close(matcher.online.itm_head[0].bias.grad, golden["grad_cls_head.0.bias"])


@each_case
def test_negatives_are_as_likely(case):
    golden = tensors(case / "pretrain_alpha0.4.npz")
    for way in ("i2t", "t2i"):
        theirs = golden[f"itm_weights_{way}"]
        count = len(theirs)
        ours = negative_weights(golden[f"sim_{way}"][:, :count])
        close(ours, theirs / theirs.sum(1, keepdim=True))


@each_case
def test_tokenizer(case):
    told = json.loads((case / "tokenizer.json").read_text())
    tokenizer = albef_tokenizer(told["vocab"])
    for one in told["cases"]:
        assert tokenizer(one["text"])["input_ids"] == one["ids"]
        assert tokenizer(one["text"], truncation=True, max_length=25)["input_ids"] == one["ids_trunc25"]
        padded = tokenizer(one["text"], truncation=True, max_length=25, padding="max_length")
        assert padded["input_ids"] == one["ids_pad_max25"]
    for one in told["pre_caption"]:
        assert clean_caption(one["text"], one["max_words"]) == one["out"]
