"""What of an image a text's score rests on: a number for every pixel of a preview.

Knows three ways: what a score loses when a part is hidden, a dual encoder's last feature map by its
gradient, and a matcher's cross-attention by its own. Knows nothing of drafts, nor of drawing. A map says
what moved this network's score, not where the finding is: how far the two agree on drawn films is
measured, and told in docs/heatmap.md. By gradient, maps are made in full precision, whatever the network
encodes in; each image alone, so that the same image and text give the same map.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from xemplar.contracts import Encoder, Explainer, Matcher
from xemplar.errors import XemplarError
from xemplar.images import model_input
from xemplar.models.checkpoint import TorchEncoder
from xemplar.models.dual import DualEncoder
from xemplar.models.fusion import Keys, Layer
from xemplar.models.judging import TorchJudge
from xemplar.models.linear import WithLinear
from xemplar.models.matching import PreparedTexts, TorchMatcher
from xemplar.records import Image

Map = NDArray[np.float32]

CELLS = 8
"""Cells a side in which a part of a film is hidden."""

BLUR = 0.1
"""Of a hidden part: the standard deviation, as a share of the film's side."""

_NO_MAP = "no heatmap of what this rests on"
_POOLED = "a dual encoder of ours that pools over places"

Way = Literal["hiding", "gradient"]


Score = Callable[[Sequence[Image], str], NDArray[np.float32]]
"""How well a text fits each of some previews: (n,)."""


class ByHiding:
    """An `Explainer` of any score: how much of it is lost where a part of the film is blurred.

    A window of two by two cells of CELLS x CELLS goes over the preview, one cell at a time; a cell has the
    mean of what the windows over it take away, where that is above 0 (occlusion: Zeiler and Fergus,
    2014, with blur in place of grey, so that no edge is added). It asks for the score of 82 images.
    """

    def __init__(self, score: Score) -> None:
        self.score = score

    def explain(self, images: Sequence[Image], text: str) -> list[Map]:
        """Previews of one study -> a map (h, w) each, in 0..1, of which the largest value is 1, or all 0."""
        return _spread([self._map(image, text) for image in images], images)

    def _map(self, image: Image, text: str) -> Map:
        places = [(row, column) for row in range(CELLS + 1) for column in range(CELLS + 1)]
        scores = self.score([image, *_hidden(image, places)], text)
        lost = np.zeros((CELLS + 2, CELLS + 2), np.float32)
        for (row, column), score in zip(places, scores[1:], strict=True):
            lost[row : row + 2, column : column + 2] += (scores[0] - score) / 4
        return np.clip(lost[1:-1, 1:-1], 0, None)


def _hidden(image: Image, places: Sequence[tuple[int, int]]) -> Iterator[Image]:
    """The image with a window blurred, for each place: the row and column of cells its far corner lies in."""
    rows, columns = (np.linspace(0, side, CELLS + 1).round().astype(int) for side in image.shape)
    blurred = cv2.GaussianBlur(image, (0, 0), BLUR * max(image.shape))
    for row, column in places:
        part = np.s_[
            rows[max(row - 1, 0)] : rows[min(row + 1, CELLS)],
            columns[max(column - 1, 0)] : columns[min(column + 1, CELLS)],
        ]
        hidden = image.copy()
        hidden[part] = blurred[part]
        yield hidden


class ByGradient:
    """An `Explainer` of a dual encoder's cosine: its last feature map, weighed by the cosine's gradient.

    Each place gets the sum over channels of activation x gradient
    of the cosine between the image's vector and the text's, where that is above 0 (HiResCAM: Draelos and
    Carin, 2020). Grad-CAM (Selvaraju et al., 2017) takes a channel's gradients averaged over all places,
    which would mix the cells of a grid that are projected each by weights of its own. Where a cell is
    pooled by its maximum, places that are nowhere the largest get 0. Since a cosine doesn't change with
    its vector's length, all places together speak for a text about as much as against it, and the map
    is of those that speak for it.
    """

    def __init__(self, encoder: TorchEncoder | TorchMatcher) -> None:
        if not isinstance(encoder, TorchEncoder) or not isinstance(encoder.model, DualEncoder):
            raise XemplarError(_NO_MAP, wanted=_POOLED, remedy="take the other way, hiding")
        if encoder.model.config.image.pool == "cls":
            raise XemplarError(
                f"{_NO_MAP}: its vector is a [CLS] alone", wanted=_POOLED, remedy="take the other way, hiding"
            )
        self.encoder, self.model = encoder, encoder.model

    def explain(self, images: Sequence[Image], text: str) -> list[Map]:
        """Previews of one study -> a map (h, w) each, in 0..1, of which the largest value is 1, or all 0."""
        vector = torch.from_numpy(self.encoder.encode_texts([text])[0])
        return _spread([self._map(image, vector) for image in images], images)

    def _map(self, image: Image, vector: Tensor) -> Map:
        device = next(self.model.parameters()).device
        size = self.model.config.image.input_size
        pixels = torch.from_numpy(model_input(image, size))[None, None].to(device)
        with torch.no_grad():
            states = self.model.image_states(pixels)
        with torch.enable_grad():
            states.requires_grad_(True)
            cosine = (self.model.image_vectors_of(states)[0] * vector.to(device)).sum()
            (slope,) = torch.autograd.grad(cosine, states)
        return _square((states.detach() * slope).sum(2)[0].clamp(min=0))


class ByAttention:
    """An `Explainer` of a matcher's score: cross-attention x its gradient, where that is above 0.

    Averaged over heads and words, in the fusion layer at the middle (of six the third), as ALBEF draws its
    maps (Li et al., 2021, after Chefer et al., 2021); what is looked at beside places, [CLS] or the whole
    image's vector, is left out.
    """

    def __init__(self, matcher: TorchMatcher | TorchJudge) -> None:
        seen = matcher.preprocessing if isinstance(matcher, TorchMatcher) else None
        if seen is not None and seen.fit != "letterbox":
            raise XemplarError(_NO_MAP, wanted=f"a matcher of whole films; this one's are {seen.fit}ed")
        if isinstance(matcher, TorchMatcher) and matcher.net.itm_head is None:
            raise XemplarError(_NO_MAP, wanted="a matcher with an ITM head")
        self.matcher = matcher

    def explain(self, images: Sequence[Image], text: str) -> list[Map]:
        """Previews of one study -> a map (h, w) each, in 0..1, of which the largest value is 1, or all 0."""
        states = self.matcher.prepare([text])
        return _spread([self._map(image, states) for image in images], images)

    def _map(self, image: Image, prepared: PreparedTexts) -> Map:
        states = torch.from_numpy(np.array(prepared.states)[None])
        if isinstance(self.matcher, TorchJudge):
            score, weights, places = _judged(self.matcher, image, states)
        else:
            score, weights, places = _matched(self.matcher, image, states)
        (slope,) = torch.autograd.grad(score, weights)
        looks = (weights.detach() * slope.clamp(min=0)).mean((1, 2))
        return _square(looks[0, -places:])


def explainer_of(encoder: Encoder, matcher: Matcher | None = None, *, way: Way = "hiding") -> Explainer:
    """Who explains a text's score: the matcher's where one is given, else its cosine by the encoder.

    `way`: "hiding", which pointed better on drawn films, or "gradient" (of a matcher by its attention),
    which is twenty times as fast. Of an encoder with a linear space beside it the map is of the network's
    part of the cosine alone; a linear space and a table of vectors have none, and XemplarError says so.
    """
    if matcher is not None:
        if not isinstance(matcher, TorchMatcher | TorchJudge):
            raise XemplarError(_NO_MAP, wanted=f"a network; found {type(matcher).__name__}")
        return ByHiding(matching(matcher)) if way == "hiding" else ByAttention(matcher)
    network = encoder.encoder if isinstance(encoder, WithLinear) else encoder
    if not isinstance(network, TorchEncoder | TorchMatcher):
        raise XemplarError(_NO_MAP, wanted=f"a network; found {type(network).__name__}")
    return ByHiding(cosine(network)) if way == "hiding" else ByGradient(network)


def cosine(encoder: TorchEncoder | TorchMatcher) -> Score:
    """The cosine of a preview's vector and the text's, as a score to explain."""
    return lambda images, text: np.asarray(
        encoder.encode_images(images) @ encoder.encode_texts([text])[0], np.float32
    )


def matching(matcher: TorchMatcher | TorchJudge) -> Score:
    """A matcher's score of a preview and the text, as a score to explain."""
    return lambda images, text: matcher.match(images, matcher.prepare([text])).scores[:, 0]


def _matched(matcher: TorchMatcher, image: Image, states: Tensor) -> tuple[Tensor, Tensor, int]:
    """A matcher's score of one text (states (1, length, width)), its weights, and how many places it has."""
    net = matcher.net
    device = net.text.words.weight.device
    with torch.no_grad():
        keys = net.text.image_keys(net.image(matcher._pixels(image).to(device)))
    with torch.enable_grad():
        hidden, weights = _fused(net.text.layers[net.config.text.fusion :], states.to(device), keys)
        return net.itm_logits(hidden[:, 0])[0, -1], weights, net.config.image.grid**2


def _judged(judge: TorchJudge, image: Image, states: Tensor) -> tuple[Tensor, Tensor, int]:
    """The same of a judge; the cosine that its score holds beside has no part in the weights."""
    net = judge.net
    device = judge.states.device
    seen = [torch.from_numpy(part).to(device) for part in judge.states.of_images([image])]
    with torch.no_grad():
        keys = net.image_keys(*seen)
    with torch.enable_grad():
        hidden, weights = _fused(net.layers, net.text(states.to(device)), keys)
        pooled = hidden[:, 0] if net.config.pool == "cls" else hidden.mean(1)
        return net.last(net.head(pooled))[0, 0], weights, net.config.positions


def _fused(layers: nn.ModuleList, hidden: Tensor, keys: list[Keys]) -> tuple[Tensor, Tensor]:
    """One text of no padding through fusion layers, and the cross-attention of one."""
    mask = torch.ones(1, 1, 1, hidden.shape[1], dtype=torch.bool, device=hidden.device)
    looked, kept = (len(layers) - 1) // 2, None
    for place, (layer, image) in enumerate(zip(layers, keys, strict=True)):
        assert isinstance(layer, Layer)
        if place != looked:
            hidden = layer(hidden, mask, image)
            continue
        cross = layer.cross
        assert cross is not None  # every fusion layer has it
        hidden = layer.looking(hidden, mask)
        kept = cross.weights(hidden, image)
        if not kept.requires_grad:  # of weights that are frozen
            kept = kept.requires_grad_(True)
        hidden = cross.norm(hidden + cross.out((kept @ image[1]).transpose(1, 2).flatten(2)))
        hidden = layer.norm(hidden + layer.fc2(functional.gelu(layer.fc1(hidden))))
    assert kept is not None
    return hidden, kept


def _square(places: Tensor) -> Map:
    """(positions,) of a square grid, row by row, whatever stands before them left out -> (g, g)."""
    side = math.isqrt(len(places))
    found: Map = places[-side * side :].reshape(side, side).float().cpu().numpy()
    return found


def _spread(grids: list[Map], images: Sequence[Image]) -> list[Map]:
    """Coarse maps -> one a pixel, linear between the cells' middles, by the largest value of them all."""
    wide = [
        np.asarray(cv2.resize(grid, image.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
        for grid, image in zip(grids, images, strict=True)
    ]
    most = max((float(one.max()) for one in wide), default=0.0)
    return [np.clip(one / np.float32(most), 0, 1) if most > 0 else np.zeros_like(one) for one in wide]
