"""Scorers that need a network: CheXbert, and any encoder for BERTScore, from files the user has.

Knows checkpoints on this machine and how their authors run them; never asks for a download. What they
make of texts, labels and vectors, goes to `metrics`, which does the arithmetic. Smit et al., CheXbert,
2020 (its weights may be used under their own licence alone); Zhang et al., BERTScore, 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, BertModel, PreTrainedTokenizerBase

from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import file_sha256
from xemplar.metrics import radcliq
from xemplar.metrics.embedding import BertScores, TokenVectors, bert_scores, idf_weights, joined
from xemplar.metrics.labels import ABSENT, NOT_MENTIONED, PRESENT, UNCERTAIN, LabelTable
from xemplar.models.dual import pretrained_backbone
from xemplar.models.tokenizer import LENGTHS, load_tokenizer, padded_length
from xemplar.records import OBSERVATIONS

CHEXBERT_ORDER: tuple[str, ...] = (
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
    "No Finding",
)
"""Of its heads: not CheXpert's order. "No Finding" has two classes, the others four."""

_CLASSES = np.array([NOT_MENTIONED, PRESENT, ABSENT, UNCERTAIN], np.int8)
_MAX_TOKENS = 512
_BATCH = 16
_PAIRS = 256
"""Pairs whose token vectors are held at once."""
_NAMED = 12
_POSITIONS = "bert.embeddings.position_ids"
"""A buffer of older releases, not a weight; what it holds is 0, 1, 2 ..."""


@dataclass(frozen=True, slots=True, eq=False)
class ChexbertReading:
    """What CheXbert makes of texts: `labels` in CheXpert's order, `embeddings` (texts, dim) of [CLS].

    `cut` counts the texts beyond 512 word pieces, of which the rest was not read; `empty` those without a
    word, which are read as the authors' program reads them.
    """

    labels: LabelTable
    embeddings: NDArray[np.float32]
    cut: int
    empty: int


class _Heads(nn.Module):
    """Under the names of the checkpoint: `bert` and 14 `linear_heads` over its [CLS]."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert
        widths = [2 if name == "No Finding" else 4 for name in CHEXBERT_ORDER]
        self.linear_heads = nn.ModuleList([nn.Linear(bert.config.hidden_size, width) for width in widths])

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """[CLS] (texts, dim) and the class of each head (texts, 14), side by side."""
        cls = self.bert(input_ids=tokens, attention_mask=mask).last_hidden_state[:, 0]
        classes = [head(cls).argmax(dim=1) for head in self.linear_heads]
        return torch.cat([cls, torch.stack(classes, dim=1).to(cls.dtype)], dim=1)


class Chexbert:
    """CheXbert as a callable from texts to labels and embeddings.

    `fingerprint` is the checkpoint's SHA-256. `maker` is the name under which RadCliQ takes the cosine
    of its embeddings; a network of another size than CheXbert's has none of that name.
    """

    def __init__(self, heads: _Heads, tokenizer: PreTrainedTokenizerBase, fingerprint: str) -> None:
        self.heads = heads.eval()
        self.tokenizer = tokenizer
        self.fingerprint = fingerprint
        config = heads.bert.config
        self.limit = longest(config, tokenizer)
        published = (config.hidden_size, config.num_hidden_layers) == (768, 12)
        name = radcliq.MAKERS["semb_score"]
        self.maker = name if published else f"{name}-of-{config.num_hidden_layers}x{config.hidden_size}"

    def __call__(self, texts: Sequence[str]) -> ChexbertReading:
        """Read texts, in order; one that is no string raises XemplarError."""
        cleaned = [" ".join(text.split()) for text in _strings(texts)]
        dim = self.heads.bert.config.hidden_size
        vectors = np.zeros((len(cleaned), dim), np.float32)
        classes = np.zeros((len(cleaned), len(CHEXBERT_ORDER)), np.int64)
        encoded = _encode(self.tokenizer, cleaned, self.limit)
        for rows, output in _in_shapes(encoded, self.tokenizer, self.heads, limit=self.limit):
            vectors[rows], classes[rows] = output[:, :dim], output[:, dim:].astype(np.int64)
        return ChexbertReading(
            labels=LabelTable(CHEXBERT_ORDER, _CLASSES[classes]).of(OBSERVATIONS),
            embeddings=vectors,
            cut=encoded.cut,
            empty=sum(not text for text in cleaned),
        )


def load_chexbert(checkpoint: Path | str, bert: Path | str) -> Chexbert:
    """CheXbert from its `chexbert.pth` and a folder with bert-base-uncased's config and tokenizer.

    Nothing but tensors is read from the checkpoint (`weights_only`). Its names may begin with
    "module."; every weight that is missing, unexpected or of another shape is named in MismatchError.
    """
    checkpoint, bert = Path(checkpoint), _folder(bert)
    try:
        config = AutoConfig.from_pretrained(str(bert), local_files_only=True)
        if config.model_type != "bert":
            raise MismatchError(f"a config of {config.model_type}", wanted="bert", where=str(bert))
        heads = _Heads(BertModel(config))
    except (OSError, ValueError, StrictDataclassError) as error:
        raise XemplarError(f"no config can be read ({type(error).__name__})", where=str(bert)) from error
    weights = _weights(checkpoint)
    _check_weights(weights, heads, checkpoint)
    heads.load_state_dict(weights)
    return Chexbert(heads, _fast_tokenizer(bert, config), file_sha256(checkpoint))


class BertScoreModel:
    """An encoder, one of its layers and a baseline: BERTScore of texts.

    `name` is what the user calls the model. `maker(idf=False)` adds all that a score depends on, such
    as "bertscore-distilroberta-base-layer5-rescaled-noidf".
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401  whichever class it is
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        layer: int,
        baseline: tuple[float, float, float] | None,
    ) -> None:
        self.model = model.float().eval()
        self.tokenizer = tokenizer
        self.name, self.layer, self.baseline = name, layer, baseline
        self.limit = longest(model.config, tokenizer)

    def maker(self, *, idf: bool = False) -> str:
        """What made the scores, for a result and for RadCliQ's column."""
        rescaled = "rescaled" if self.baseline else "raw"
        return f"bertscore-{self.name}-layer{self.layer}-{rescaled}-{'idf' if idf else 'noidf'}"

    def tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """The token vectors of each text: several megabytes for every ten long ones."""
        return self._vectors(_encode(self.tokenizer, _strings(texts), self.limit))

    def __call__(
        self, predictions: Sequence[str], references: Sequence[str], *, idf: bool = False
    ) -> BertScores:
        """Score pairs in order; `idf` weighs tokens by how few of these references hold them.

        A text that is no string, another number of either, or idf over a single reference raises
        XemplarError.
        """
        if len(predictions) != len(references):
            raise MismatchError(
                f"{len(predictions)} predictions for {len(references)} references", wanted="pairs"
            )
        sides = [_encode(self.tokenizer, _strings(texts), self.limit) for texts in (predictions, references)]
        weights = idf_weights([np.array(ids, np.int64) for ids in sides[1].ids]) if idf else None
        parts = []
        for start in range(0, len(predictions), _PAIRS):
            said, true = (self._vectors(side.part(start, start + _PAIRS)) for side in sides)
            parts.append(bert_scores(said, true, idf=weights, baseline=self.baseline))
        return joined(parts)

    def _vectors(self, encoded: _Encoded) -> list[TokenVectors]:
        found: dict[int, TokenVectors] = {}
        for rows, output in _in_shapes(encoded, self.tokenizer, self._hidden, limit=self.limit):
            for row, vectors in zip(rows.tolist(), output, strict=True):
                ids, special = encoded.ids[row], encoded.special[row]
                found[row] = TokenVectors(
                    vectors[: len(ids)], np.array(ids, np.int64), np.array(special, np.bool_)
                )
        return [found[row] for row in range(len(encoded.ids))]

    def _hidden(self, tokens: Tensor, mask: Tensor) -> Tensor:
        states = self.model(input_ids=tokens, attention_mask=mask, output_hidden_states=True).hidden_states
        return torch.as_tensor(states[self.layer])


def load_bertscore(
    folder: Path | str,
    *,
    name: str,
    layer: int,
    baseline: tuple[float, float, float] | None = None,
) -> BertScoreModel:
    """Any Hugging Face encoder and its tokenizer from a local folder.

    `layer` counts from 1, the first; 0 is the embeddings. `baseline` (precision, recall, F1) is that of
    model and layer in the package bert_score; without it scores are raw. `name` goes into results. A
    folder that can't be loaded, a weight missing from it or a layer it hasn't raises XemplarError.
    """
    folder = _folder(folder)
    try:
        model = pretrained_backbone(str(folder), {})
    except (OSError, ValueError, RuntimeError, SafetensorError, StrictDataclassError) as error:
        raise XemplarError(f"no model can be loaded ({type(error).__name__})", where=str(folder)) from error
    layers = int(model.config.num_hidden_layers)
    if not 0 <= layer <= layers:
        raise XemplarError(f"layer {layer}", wanted=f"0..{layers}", where=str(folder))
    tokenizer = _fast_tokenizer(folder, model.config)
    return BertScoreModel(model, tokenizer, name=name, layer=layer, baseline=baseline)


def layers_of(folder: Path | str) -> int:
    """How many layers an encoder in a local folder has."""
    return int(AutoConfig.from_pretrained(str(_folder(folder)), local_files_only=True).num_hidden_layers)


@dataclass(frozen=True, slots=True)
class _Encoded:
    """Token ids of texts, which of them are special, and how many texts were cut."""

    ids: list[list[int]]
    special: list[list[bool]]
    cut: int

    def part(self, start: int, stop: int) -> _Encoded:
        return _Encoded(self.ids[start:stop], self.special[start:stop], self.cut)


def _encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], limit: int) -> _Encoded:
    if not texts:
        return _Encoded([], [], 0)
    encoded = tokenizer(list(texts), truncation=True, max_length=limit, return_special_tokens_mask=True)
    return _Encoded(
        encoded["input_ids"],
        [[bool(mark) for mark in marks] for marks in encoded["special_tokens_mask"]],
        sum(bool(one.overflowing) for one in encoded.encodings),
    )


def _in_shapes(
    encoded: _Encoded,
    tokenizer: PreTrainedTokenizerBase,
    forward: Callable[[Tensor, Tensor], Tensor],
    *,
    limit: int,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Rows and what `forward` gives for them, in batches of one size and a few lengths.

    So a text's vectors are the same whatever it is read with.
    """
    lengths = np.array([padded_length(len(ids), limit) for ids in encoded.ids], np.int64)
    for length in np.unique(lengths).tolist():
        alike = np.flatnonzero(lengths == length)
        for rows in (alike[start : start + _BATCH] for start in range(0, len(alike), _BATCH)):
            tokens = torch.full((_BATCH, length), int(tokenizer.pad_token_id), dtype=torch.long)
            mask = torch.zeros((_BATCH, length), dtype=torch.long)
            mask[:, 0] = 1  # rows of padding attend to one token, so that no softmax is over nothing
            for place, row in enumerate(rows.tolist()):
                ids = encoded.ids[row]
                tokens[place, : len(ids)] = torch.tensor(ids)
                mask[place, : len(ids)] = 1
            with torch.inference_mode():
                output = forward(tokens, mask)
            yield rows, output[: len(rows)].float().numpy()


def _weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, by their names without "module."."""
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no error of its own for a file that is none of its kind
        raise XemplarError(
            f"checkpoint can't be read ({type(error).__name__})",
            where=str(path),
            remedy="only tensors are read from it; one that holds other objects is refused",
        ) from error
    if isinstance(held, dict) and isinstance(held.get("model_state_dict"), dict):
        held = held["model_state_dict"]
    if not isinstance(held, dict) or not all(isinstance(value, Tensor) for value in held.values()):
        raise MismatchError(
            "a checkpoint without weights", wanted="tensors by name, or model_state_dict", where=str(path)
        )
    weights = {str(name).removeprefix("module."): value for name, value in held.items()}
    weights.pop(_POSITIONS, None)
    return weights


def _check_weights(weights: dict[str, Tensor], heads: _Heads, path: Path) -> None:
    wanted = {name: tuple(value.shape) for name, value in heads.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    wrong = [f"{name} is missing" for name in sorted(wanted.keys() - found.keys())]
    wrong += [f"{name} is unexpected" for name in sorted(found.keys() - wanted.keys())]
    wrong += [
        f"{name} is {found[name]} and not {wanted[name]}"
        for name in sorted(wanted.keys() & found.keys())
        if wanted[name] != found[name]
    ]
    if wrong:
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise MismatchError(
            f"{len(wrong)} weights don't fit: {', '.join(wrong[:_NAMED])}{more}",
            wanted="those of CheXbert over this config",
            where=str(path),
        )


def _fast_tokenizer(folder: Path, config: Any) -> PreTrainedTokenizerBase:  # noqa: ANN401
    tokenizer = load_tokenizer(folder)
    if not tokenizer.is_fast or tokenizer.pad_token_id is None:
        raise MismatchError("a tokenizer without padding or a fast form", wanted="both", where=str(folder))
    if len(tokenizer) > config.vocab_size:
        raise MismatchError(
            f"a tokenizer of {len(tokenizer)} tokens",
            wanted=f"at most {config.vocab_size}, the model's",
            where=str(folder),
        )
    return tokenizer


def longest(config: Any, tokenizer: PreTrainedTokenizerBase) -> int:  # noqa: ANN401
    """The longest text a model takes, in tokens; RoBERTa's first positions are set aside for padding."""
    positions = int(getattr(config, "max_position_embeddings", _MAX_TOKENS))
    if "roberta" in config.model_type:
        positions -= int(config.pad_token_id) + 1
    return min(positions, int(tokenizer.model_max_length), LENGTHS[-1])


def _folder(path: Path | str) -> Path:
    """A folder on this machine: a model's name on a hub is none, and nothing is downloaded."""
    if not Path(path).is_dir():
        raise XemplarError(
            "no such folder", wanted="a local folder with config and tokenizer", where=str(path)
        )
    return Path(path)


def _strings(texts: Sequence[str]) -> Sequence[str]:
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise XemplarError(f"a {type(text).__name__}", wanted="a string", where=f"text {place}")
    return texts
