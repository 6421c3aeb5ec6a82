"""A promise is of drafts from the very index it was found on, under the style, lexicon and gate of then."""

import pytest

from xemplar.archive import Archive, promised
from xemplar.archive.promised import under_of
from xemplar.assembly import Assembly
from xemplar.contracts import Stages
from xemplar.drafting.gate import Gate
from xemplar.drafting.promise import Asked, Promise
from xemplar.index import build_index, fitted_to

PROMISE = Promise(asked=Asked(), patients=90, studies=90, state_at=0.3, deny_at=0.2)


@pytest.fixture
def kept(drawn):
    """The drawn archive, and what was found out with it."""
    fitted = drawn.calibration.model_copy(update={"promise": PROMISE, "under": under_of(drawn, None)})
    return Archive(drawn.corpus, drawn.encoder, drawn.index, calibration=fitted)


def said(archive):
    films = archive.films_of(archive.corpus.part("test")[0])
    return archive.draft(films).promise


def test_it_is_of_the_index_it_was_found_out_on(kept):
    assert said(kept) == PROMISE.sentence


def test_it_is_not_of_another_index_of_the_same_corpus(kept, tmp_path):
    everything = build_index(kept.corpus, kept.encoder, tmp_path / "all", parts=("train", "val", "test"))
    again = Archive(kept.corpus, kept.encoder, everything, calibration=kept.calibration)
    told = said(again)
    assert told.startswith("Not promised: at most 10% of lines wrong")
    assert f"on index {kept.index.fingerprint}, and this is {everything.fingerprint}" in told
    assert any(again.draft(again.films_of(study)).lines for study in kept.corpus.part("test"))


def test_the_same_index_built_again_is_the_same(kept, tmp_path):
    again = build_index(kept.corpus, kept.encoder, tmp_path / "again")
    assert said(Archive(kept.corpus, kept.encoder, again, calibration=kept.calibration)) == PROMISE.sentence


def test_it_is_not_of_another_style(kept):
    stages = Stages(Assembly(style="findings+impression"))
    again = Archive(kept.corpus, kept.encoder, kept.index, calibration=kept.calibration, stages=stages)
    assert "found out with style findings, here findings+impression; run `xemplar calibrate`" in said(again)


def test_it_is_not_of_another_lexicon(kept, monkeypatch):
    monkeypatch.setattr(promised, "lexicon_version", lambda: "another")
    assert "here another; run `xemplar calibrate` again" in said(kept)


def test_it_is_not_of_another_gate(kept):
    gate = Gate(index=fitted_to(kept.index), why="too few films")
    kept.gatekeeper.gate = gate
    assert f"found out with gate None, here {gate.fingerprint}" in said(kept)


def test_one_of_which_nobody_knows_what_it_was_found_out_under_is_void(kept):
    kept.calibration = kept.calibration.model_copy(update={"under": None})
    assert "nothing says under which style, lexicon and gate it was found out" in said(kept)


def test_what_could_not_be_promised_says_so_still(kept):
    unkept = PROMISE.model_copy(update={"why": "a test", "state_at": None, "deny_at": None})
    kept.calibration = kept.calibration.model_copy(update={"promise": unkept, "under": None})
    assert said(kept) == unkept.sentence
