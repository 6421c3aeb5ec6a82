"""Text to token ids: a WordPiece tokenizer trained on a corpus's training texts, or a checkpoint's own.

Knows tokens; knows nothing of vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import WordPiece
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from xemplar.errors import XemplarError

LENGTHS = (16, 24, 32, 48, 64, 80, 96, 128, 192, 256, 384, 512)
"""Padded lengths in use: a text's shape depends on the text alone, never on its batch."""

_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def train_wordpiece(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerBase:
    """A lower-casing WordPiece tokenizer (Schuster and Nakajima, 2012; BERT's set-up).

    The same texts give the same tokens in every process.
    """
    texts = list(texts)
    tokenizer = _bert_like(WordPiece(unk_token="[UNK]"))
    # The trainer numbers the letters that continue a word in the order of a hash table that is seeded
    # anew in every process, and breaks ties by number; named beforehand they have one order.
    first = [*_SPECIAL, *(f"##{letter}" for letter in _continuing(tokenizer, texts))]
    trainer = trainers.WordPieceTrainer(vocab_size=vocabulary, special_tokens=first, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer = _bert_like(WordPiece(tokenizer.get_vocab(with_added_tokens=False), unk_token="[UNK]"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(mark, tokenizer.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def _bert_like(model: WordPiece) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _continuing(tokenizer: Tokenizer, texts: Sequence[str]) -> list[str]:
    """Every letter that stands in a word behind its first, sorted."""
    letters: set[str] = set()
    for text in texts:
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text)):
            letters.update(word[1:])
    return sorted(letters)


def load_tokenizer(origin: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a Hugging Face name or a local folder."""
    try:
        return AutoTokenizer.from_pretrained(str(origin), local_files_only=True)
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise XemplarError(f"no tokenizer can be loaded ({first})", where=str(origin)) from error


def tokenize(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_tokens: int
) -> tuple[Tensor, Tensor]:
    """Token ids and mask, each (n, length), padded to the longest text's padded length."""
    encoded = tokenizer(list(texts), truncation=True, max_length=max_tokens)["input_ids"]
    length = padded_length(max(len(row) for row in encoded), max_tokens)
    tokens = torch.full((len(encoded), length), int(tokenizer.pad_token_id), dtype=torch.long)
    mask = torch.zeros((len(encoded), length), dtype=torch.long)
    for place, row in enumerate(encoded):
        tokens[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
    return tokens, mask


def padded_length(tokens: int, max_tokens: int) -> int:
    """The smallest length in use that holds so many tokens."""
    return min(next(length for length in LENGTHS if length >= tokens), max_tokens)
