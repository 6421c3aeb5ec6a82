"""Text to token ids: learnt from the training texts alone, padded by the text alone."""

import json
import subprocess
import sys

import pytest

from xemplar.errors import XemplarError
from xemplar.models.tokenizer import LENGTHS, load_tokenizer, padded_length, tokenize, train_wordpiece

TEXTS = ["Small left pleural effusion.", "No pneumothorax. The heart is normal in size."] * 3


@pytest.mark.parametrize("tokens", [1, 16, 17, 100, 128, 129, 400, 512])
def test_a_length_is_the_smallest_in_use(tokens):
    assert padded_length(tokens, 512) == min(length for length in LENGTHS if length >= tokens)


def test_a_length_never_exceeds_the_limit():
    assert padded_length(20, 21) == 21


def test_marks_stand_at_both_ends(tokenizer):
    tokens, _ = tokenize(tokenizer, ["effusion"], 48)
    assert tokenizer.convert_ids_to_tokens(tokens[0, :1]) == ["[CLS]"]
    assert "[SEP]" in tokenizer.convert_ids_to_tokens(tokens[0])


def test_the_mask_covers_the_tokens_and_nothing_else(tokenizer):
    tokens, mask = tokenize(tokenizer, ["edema", "small left pleural effusion and mild edema"], 48)
    assert ((tokens != tokenizer.pad_token_id) == mask.bool()).all()


def test_a_long_text_is_cut_and_keeps_its_end_mark(tokenizer):
    tokens, mask = tokenize(tokenizer, ["effusion " * 200], 24)
    assert tokens.shape == (1, 24) and mask.sum() == 24
    assert tokenizer.convert_ids_to_tokens(tokens[0, -1:]) == ["[SEP]"]


def test_case_does_not_matter(tokenizer):
    upper, lower = tokenize(tokenizer, ["PLEURAL EFFUSION", "pleural effusion"], 48)[0]
    assert (upper == lower).all()


def test_words_of_the_texts_are_known_and_others_are_not_lost():
    trained = train_wordpiece(TEXTS, 300)
    assert trained.tokenize("pleural effusion") == ["pleural", "effusion"]
    assert "pneumoperitoneum" not in trained.get_vocab()


def test_the_vocabulary_is_bounded():
    assert len(train_wordpiece([f"word{n} other{n}" for n in range(500)], 120)) <= 120


def test_the_same_texts_give_the_same_words_in_another_process():
    code = (
        "import json, sys; from xemplar.models.tokenizer import train_wordpiece;"
        "print(json.dumps(train_wordpiece(json.load(sys.stdin), 300).get_vocab()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(TEXTS), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == train_wordpiece(TEXTS, 300).get_vocab()


def test_a_saved_tokenizer_reads_alike(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path / "t")
    again = load_tokenizer(tmp_path / "t")
    for mine, theirs in zip(tokenize(tokenizer, TEXTS, 48), tokenize(again, TEXTS, 48), strict=True):
        assert (mine == theirs).all()


def test_a_folder_without_a_tokenizer_is_told_in_a_line(tmp_path):
    with pytest.raises(XemplarError, match="no tokenizer can be loaded"):
        load_tokenizer(tmp_path)
