"""The head that looks at neighbours: by hand, by torch's own attention, and who is no neighbour."""

import numpy as np
import pytest
import torch
from torch import nn

from xemplar.errors import MismatchError, XemplarError
from xemplar.models.neighbours import (
    NeighbourConfig,
    NeighbourHead,
    TorchAugmenter,
    gathered,
    neighbour_table,
)

FINDINGS = ("Edema", "Fracture", "Pneumonia")


def unit(*shape, seed=0):
    rows = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def head(**rest):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = NeighbourHead(NeighbourConfig(dim=8, findings=FINDINGS, heads=2, **rest))
        for parameter in made.parameters():
            nn.init.normal_(parameter, std=0.5)
        return made.eval()


@pytest.fixture
def batch():
    mask = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], bool)
    return unit(3, 8), unit(3, 4, 8, seed=1), mask


def tensors(batch):
    return [torch.from_numpy(part) for part in batch]


def test_it_is_multi_head_attention_with_residual_and_norm(batch):
    own = head(sources=("image",))
    peer = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    peer.load_state_dict({
        "in_proj_weight": torch.cat([own.query.weight, own.key.weight, own.value.weight]).detach(),
        "in_proj_bias": torch.cat([own.query.bias, own.key.bias, own.value.bias]).detach(),
        "out_proj.weight": own.out.weight.detach(), "out_proj.bias": own.out.bias.detach(),
    })  # fmt: skip
    queries, neighbours, mask = (part[:2] for part in tensors(batch))
    with torch.no_grad():
        marked = neighbours + own.sources.weight[0]
        seen, weights = peer(queries[:, None], marked, marked, key_padding_mask=~mask)
        hidden = own.norm(queries + seen[:, 0])
        vectors, logits = own(queries, neighbours, mask)
        torch.testing.assert_close(vectors, nn.functional.normalize(hidden))
        torch.testing.assert_close(logits, hidden @ own.findings.weight.T + own.findings.bias)
        torch.testing.assert_close(own.weights(queries, neighbours, mask), weights[:, 0])


def test_without_neighbours_it_answers_from_the_query(batch):
    own = head()
    queries, neighbours, mask = tensors(batch)
    with torch.no_grad():
        vectors, _ = own(queries, neighbours, mask)
        torch.testing.assert_close(vectors[2], nn.functional.normalize(own.norm(queries[2]), dim=0))
        assert own.weights(queries, neighbours, mask)[2].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("odd", [5.0, float("nan"), float("inf")])
def test_what_is_masked_out_changes_nothing(batch, odd):
    queries, neighbours, mask = batch
    other = neighbours.copy()
    other[~mask] = odd
    one, two = (TorchAugmenter(head()).augment(queries, part, mask) for part in (neighbours, other))
    assert np.array_equal(one[0], two[0])
    assert np.array_equal(one[1], two[1])


def test_the_order_of_neighbours_of_one_source_changes_nothing(batch):
    queries, neighbours, mask = batch
    order = [2, 0, 3, 1]
    augmenter = TorchAugmenter(head(sources=("report",)))
    one = augmenter.augment(queries, neighbours, mask)
    two = augmenter.augment(queries, neighbours[:, order], mask[:, order])
    np.testing.assert_allclose(one[0], two[0], atol=1e-6)


def test_images_and_reports_are_told_apart(batch):
    queries, neighbours, _ = batch
    augmenter, mask = TorchAugmenter(head()), np.ones((3, 4), bool)
    one = augmenter.augment(queries, neighbours, mask)
    two = augmenter.augment(queries, neighbours[:, [2, 3, 0, 1]], mask)
    assert np.abs(one[0] - two[0]).max() > 1e-3


def test_augmented_rows_have_length_one_and_findings_are_probabilities(batch):
    vectors, findings = TorchAugmenter(head()).augment(*batch)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    assert findings.shape == (3, 3)
    assert ((findings > 0) & (findings < 1)).all()
    assert vectors.dtype == findings.dtype == np.float32


def test_an_untrained_head_adds_nothing(batch):
    made = NeighbourHead(NeighbourConfig(dim=8, findings=FINDINGS, heads=2))
    queries, neighbours, mask = tensors(batch)
    with torch.no_grad():
        vectors, _ = made(queries, neighbours, mask)
        torch.testing.assert_close(vectors, nn.functional.normalize(made.norm(queries)))


def test_gradients_are_numbers_without_neighbours(batch):
    made = head()
    queries, neighbours, mask = tensors(batch)
    vectors, logits = made(queries, neighbours, mask)
    (vectors.sum() + logits.sum()).backward()
    assert all(torch.isfinite(part.grad).all() for part in made.parameters())


def test_no_query_has_no_row():
    found = TorchAugmenter(head()).augment(
        np.zeros((0, 8), np.float32), np.zeros((0, 4, 8), np.float32), np.zeros((0, 4), bool)
    )
    assert [part.shape for part in found] == [(0, 8), (0, 3)]


@pytest.mark.parametrize("shapes", [
    ((3, 7), (3, 4, 8), (3, 4)), ((3, 8), (3, 4, 7), (3, 4)), ((3, 8), (3, 4, 8), (3, 5)),
    ((2, 8), (3, 4, 8), (3, 4)), ((3, 8), (3, 3, 8), (3, 3)),
])  # fmt: skip
def test_another_shape_is_refused(shapes):
    queries, neighbours, mask = (np.zeros(shape, np.float32) for shape in shapes)
    with pytest.raises(MismatchError, match=r"wanted \(n, 8\), \(n, k, 8\), \(n, k\), k a multiple of 2"):
        head()(*tensors((queries, neighbours, mask.astype(bool))))


@pytest.mark.parametrize("sources", [(), ("image", "image")])
def test_sources_are_named_once(sources):
    with pytest.raises(ValueError, match="wanted image, report or both"):
        NeighbourConfig(dim=8, findings=FINDINGS, sources=sources)


def test_heads_share_the_dimensions():
    with pytest.raises(ValueError, match="8 dimensions can't be shared by 3 heads"):
        NeighbourConfig(dim=8, findings=FINDINGS, heads=3)


def test_a_table_is_brute_force_over_other_patients():
    queries, gallery = unit(600, 6), unit(90, 6, seed=1)
    own, others = np.arange(600) % 40, np.arange(90) % 45
    found = neighbour_table(queries, gallery, 5, own=own, others=others)
    for row in (0, 39, 299, 599):
        scores = sorted(
            (-float(queries[row] @ gallery[at]), at) for at in range(90) if others[at] != own[row]
        )
        assert found[row].tolist() == [at for _, at in scores[:5]]


def test_equal_neighbours_come_by_row():
    gallery = np.repeat(unit(1, 4), 5, axis=0)
    found = neighbour_table(gallery[:1], gallery, 3, own=np.array(["p"]), others=np.array(list("apbcd")))
    assert found.tolist() == [[0, 2, 3]]


def test_too_few_neighbours_leave_places_empty():
    gallery = unit(3, 4)
    own = np.array(["p", "q", "p"])
    found = neighbour_table(gallery, gallery, 4, own=own, others=own)
    assert found[1].tolist()[2:] == [-1, -1]
    assert found[[0, 2]].tolist() == [[1, -1, -1, -1]] * 2
    vectors, mask = gathered(found, gallery)
    assert mask.sum(1).tolist() == [1, 2, 1]
    assert np.array_equal(vectors[0], np.stack([gallery[1], *np.zeros((3, 4))]))


def test_an_empty_gallery_has_no_neighbours():
    nobody = np.zeros((0, 4), np.float32)
    found = neighbour_table(unit(2, 4), nobody, 2, own=np.array([1, 2]), others=np.array([], np.int64))
    assert found.tolist() == [[-1, -1]] * 2
    assert not gathered(found, nobody)[1].any()


def test_a_key_short_is_refused():
    with pytest.raises(MismatchError, match="1 and 2 keys; wanted 2 and 2, one a vector"):
        neighbour_table(unit(2, 4), unit(2, 4), 1, own=np.array([1]), others=np.array([1, 2]))


def test_no_neighbour_asked_for_is_refused():
    with pytest.raises(XemplarError, match="0 neighbours; wanted at least 1"):
        neighbour_table(unit(2, 4), unit(2, 4), 0, own=np.array([1, 2]), others=np.array([1, 2]))
