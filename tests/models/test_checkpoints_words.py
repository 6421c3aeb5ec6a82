"""CLIP's words: golden ids of the original, over merges that are made up to lead to them.

The original's list of merges isn't among the shared data. These are the ids of the golden texts' pieces at
their ranks, with invented steps below them and fillers that no text holds elsewhere: so what is held to the
original is how texts are cleaned and parted, how bytes, ranks and ends become ids, and the context.
"""

import gzip
import json

import pytest

from xemplar.models.checkpoints.folder import openai_tokenizer
from xemplar.models.imported import TextInput

VOCABULARY, CONTEXT = 49408, 77
STEPS = (
    "0 e n; 1 x e; 2 p u; 3 t r; 4 n c; 5 a s; 6 th e</w>; 8 h o; 9 t i; 10 t m; 11 r i; 12 i z; "
    "13 c h; 14 s i; 15 i t; 16 i n; 17 n g; 18 c e; 19 h e; 20 r o; 21 i s</w>; 22 o r; 23 s p; "
    "25 c t; 27 p n; 28 t u; 29 l e; 30 t h; 32 n e; 33 e f; 34 a c; 35 d i; 36 o n; 37 c a; 38 ac u; "
    "39 a ng; 40 n or; 41 he a; 42 h it; 43 en d; 45 ca r; 46 pn e; 47 ho r; 48 u nc; 50 s iz; "
    "51 v e</w>; 52 i xe; 53 ce s; 54 a l</w>; 55 pu l; 56 l in; 59 h tm; 60 ri n; 61 si o; 62 unc h; "
    "63 it ho; 65 hea r; 66 hit e; 67 nor m; 68 sp ac; 69 ro ces; 70 w itho; 71 ca rin; 72 b e</w>; "
    "73 e d</w>; 74 r y</w>; 75 t e</w>; 76 witho u; 78 d e</w>; 79 o ve</w>; 80 sio n</w>; "
    "81 ixe d</w>; 82 b ove</w>; 83 ang ed</w>; 84 roces s</w>; 105 m o; 174 ne w</w>; 237 m on; "
    "240 tr a; 266 f a; 344 a ry</w>; 359 n o</w>; 432 e le; 471 ch e; 480 a t; 585 n a; "
    "636 lin e</w>; 978 ef f; 1416 a de</w>; 1424 hear t</w>; 1626 spac e</w>; 1681 withou t</w>; "
    "2723 siz e</w>; 2796 tu be</w>; 3229 c m</w>; 3566 p rocess</w>; 3618 t hor; 3836 a bove</w>; "
    "4111 ti p</w>; 4187 w hite; 5455 norm al</w>; 5699 car di; 6026 ct as; 6268 m ixed</w>; "
    "8691 a x</w>; 8852 u sion</w>; 9555 \xc3 \xa7; 12964 end o; 17719 htm l</w>; 19222 acu te</w>; "
    "28202 pne u; 33760 unch anged</w>; 35177 \xc3 \xaf; 39346 o pul; 43845 carin a</w>"
)


def _merges():
    """48,894 pairs: the steps at their ranks, all others of letters that stand for rare bytes."""
    steps = {int(rank): f"{one} {two}" for rank, one, two in (step.split() for step in STEPS.split("; "))}
    rare = [chr(256 + n) for n in range(40, 66)]
    pairs = [(one, two) for one in rare for two in rare]
    fillers = [f"{one} {two}" for one, two in pairs]
    fillers += [f"{one}{two} {three}" for one, two in pairs for three in rare]
    fillers += [f"{one}{two}{three} {four}" for one, two in pairs for three in rare for four in rare[:2]]
    spare = iter(fillers)
    return [steps[rank] if rank in steps else next(spare) for rank in range(VOCABULARY - 514)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "bpe.txt.gz"
    # OpenAI's file goes on behind what it uses.
    path.write_bytes(gzip.compress("\n".join(["#version", *_merges(), "more pairs", ""]).encode()))
    return openai_tokenizer(path, VOCABULARY, context=CONTEXT)


@pytest.mark.shared
def test_the_originals_ids(golden, tokenizer):
    held = json.loads((golden / "clip_openai_format" / "tokenizer.json").read_text())
    cases = [case for case in held["cases"] if "ids" in case]
    assert len(cases) >= 9 and held["context_length"] == CONTEXT
    clean = TextInput(max_tokens=CONTEXT, unescape=True)
    for case in cases:
        ids = tokenizer(clean.cleaned([case["text"]]))["input_ids"][0]
        assert ids + [0] * (CONTEXT - len(ids)) == case["ids"], case["text"]


@pytest.mark.shared
def test_what_the_original_refuses_is_cut_and_keeps_its_end(golden, tokenizer):
    held = json.loads((golden / "clip_openai_format" / "tokenizer.json").read_text())
    ids = tokenizer(held["long_text"], truncation=True, max_length=CONTEXT)["input_ids"]
    assert (len(ids), ids[0], ids[-1]) == (CONTEXT, VOCABULARY - 2, VOCABULARY - 1)
