"""A Hugging Face network for natural language inference, as a judge of premise and hypothesis.

Knows which of its classes is which, and refuses to guess; knows nothing of reports. X-REM's judge is
one of these, trained on RadNLI (Miura et al., 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    StrictDataclassError,
)
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerBase

from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import file_sha256, fingerprint
from xemplar.models.scorers import longest
from xemplar.models.tokenizer import load_tokenizer, padded_length

Verdict = Literal["entailment", "neutral", "contradiction"]
"""As `xemplar.rerank` has them."""

VERDICTS: tuple[Verdict, ...] = ("entailment", "neutral", "contradiction")

_CALLED: Mapping[str, Verdict] = {
    "entailment": "entailment", "entail": "entailment", "entails": "entailment", "neutral": "neutral",
    "contradiction": "contradiction", "contradict": "contradiction", "contradicts": "contradiction",
}  # fmt: skip
_FILES = ["*.json", "*.safetensors", "vocab.txt", "merges.txt", "*.model"]


class NliJudge:
    """What a premise says of a hypothesis, by a network: the class of the highest logit.

    `name` is what the user calls it, and the beginning of its files' hash. `cut` counts the pairs that
    were longer than it reads, of which the longer text lost its end.
    """

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerBase, *, name: str, order: Sequence[Verdict]  # noqa: ANN401
    ) -> None:  # fmt: skip
        self.model, self.tokenizer, self.name = model.float().eval(), tokenizer, name
        self._columns = [order.index(verdict) for verdict in VERDICTS]
        self._limit = longest(model.config, tokenizer)
        self.cut = 0

    def __call__(self, premise: str, hypothesis: str) -> Verdict:
        """The verdict; equal logits count as the first of VERDICTS."""
        return VERDICTS[int(self.logits(premise, hypothesis).argmax())]

    def logits(self, premise: str, hypothesis: str) -> NDArray[np.float32]:
        """(3,) in the order of VERDICTS; one pair a pass, at one of a few lengths."""
        length = len(self.tokenizer(premise, hypothesis, verbose=False)["input_ids"])
        self.cut += length > self._limit
        encoded = self.tokenizer(
            premise,
            hypothesis,
            truncation="longest_first",
            max_length=padded_length(min(length, self._limit), self._limit),
            padding="max_length",
            return_tensors="pt",
        )
        with torch.inference_mode():
            found = self.model(**encoded).logits[0].float().numpy()
        if not np.isfinite(found).all():
            raise XemplarError("logits that are no numbers", where=self.name)
        return np.asarray(found[self._columns], np.float32)


def load_nli(origin: Path | str, *, labels: Sequence[str] | None = None, download: bool = False) -> NliJudge:
    """A sequence classifier of three classes from a local folder, or by its name on the Hugging Face hub.

    A name is sought in the cache on this machine; only `download` asks the hub. Which class is which
    is what its config says, or `labels`, the three in the order of its logits; names that say neither
    are refused, and so is a checkpoint without the weights of its head.
    """
    folder = Path(origin) if Path(origin).is_dir() else _fetched(str(origin), download)
    try:
        model, told = AutoModelForSequenceClassification.from_pretrained(
            str(folder), output_loading_info=True, local_files_only=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError, StrictDataclassError) as error:
        first = str(error).strip().splitlines()[0]
        raise XemplarError(f"no classifier can be loaded ({first})", where=str(origin)) from error
    if missing := sorted(told["missing_keys"]):
        raise MismatchError(
            f"{len(missing)} weights are not in the checkpoint; the first is {missing[0]}",
            wanted="a model trained for natural language inference, its head included",
            where=str(origin),
        )
    order = _order(model.config.id2label, labels, where=str(origin))
    name = f"{Path(origin).name if folder == Path(origin) else origin} {files_hash(folder)}"
    return NliJudge(model, load_tokenizer(folder), name=name, order=order)


def files_hash(folder: Path) -> str:
    """8 hex digits that tell a network's files from others, for its name."""
    return fingerprint([file_sha256(path) for path in sorted(folder.iterdir()) if path.is_file()])[:8]


def _fetched(name: str, download: bool) -> Path:
    """The folder of a hub's name: from the cache or, if asked for, from the hub."""
    try:
        return Path(snapshot_download(name, local_files_only=not download, allow_patterns=_FILES))
    except (HFValidationError, LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise XemplarError(
            f"no such folder, and no model of that name {'to be had' if download else 'in the cache'} "
            f"({type(error).__name__})",
            wanted="a local folder with config.json, model.safetensors and a tokenizer, or a hub's name",
            where=name,
            remedy="check the name" if download else "let it be downloaded, or name a folder",
        ) from None


def _order(named: Mapping[int, str], labels: Sequence[str] | None, *, where: str) -> list[Verdict]:
    """The verdict of each logit."""
    given = list(labels) if labels is not None else [named[place] for place in sorted(named)]
    order = [_CALLED[label.strip().lower()] for label in given if label.strip().lower() in _CALLED]
    if len(named) != len(VERDICTS) or len(given) != len(VERDICTS) or sorted(order) != sorted(VERDICTS):
        raise MismatchError(
            f"{len(named)} classes, called {', '.join(map(str, given))}",
            wanted="three: entailment, neutral, contradiction",
            where=where,
            remedy="if its card says which is which, name them in the order of its logits",
        )
    return order
