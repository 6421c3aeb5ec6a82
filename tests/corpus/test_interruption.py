"""An ingest cut off at any moment: what was there stays readable, and the next run completes it."""

import multiprocessing
import os
import random
import signal

import pytest

from handmade import NOWHERE, Pattern, arrival, content, corpus_of, many, settings
from xemplar.corpus import Corpus, ingest
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import writing
from xemplar.images import PreviewSpec

SALT = b"handmade"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return content(corpus_of(many(20), tmp_path_factory.mktemp("undisturbed"), segment_size=2))


def cut_off(arrivals, after, wrong):
    yield from arrivals[:after]
    raise wrong


@pytest.mark.parametrize("wrong", [RuntimeError("the disk of the source is gone"), KeyboardInterrupt()])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_source_that_breaks_off_leaves_what_was_done(tmp_path, wrong, workers):
    with pytest.raises(type(wrong)):
        ingest(cut_off(many(20), 7, wrong), tmp_path, settings(segment_size=2), workers=workers)
    corpus = Corpus.open(tmp_path)
    assert len(corpus.studies) == 6
    assert corpus.check() == []
    assert corpus.card()["complete"] is False


def test_a_broken_off_ingest_goes_on_to_what_it_would_have_been(tmp_path, undisturbed):
    with pytest.raises(RuntimeError):
        ingest(cut_off(many(20), 7, RuntimeError()), tmp_path, settings(segment_size=2), key_salt=SALT)
    summary = ingest(many(20), tmp_path, settings(segment_size=2))
    assert (summary.already_there, summary.added) == (6, 14)
    assert content(Corpus.open(tmp_path)) == undisturbed
    assert Corpus.open(tmp_path).card()["complete"] is True


def test_a_decoder_that_breaks_off_leaves_what_was_done(tmp_path, undisturbed):
    class Broken(Pattern):
        def draw(self):
            raise KeyboardInterrupt

    arrivals = many(20)
    arrivals[9] = arrival(9, images=[Broken(1)])
    with pytest.raises(KeyboardInterrupt):
        ingest(arrivals, tmp_path, settings(segment_size=2), key_salt=SALT)
    assert len(Corpus.open(tmp_path).studies) == 8
    ingest(many(20), tmp_path, settings(segment_size=2))
    assert content(Corpus.open(tmp_path)) == undisturbed


def test_an_ingest_cut_off_before_its_first_segment_says_that_nothing_is_in_it(tmp_path):
    with pytest.raises(RuntimeError):
        ingest(cut_off(many(3), 1, RuntimeError()), tmp_path, settings(segment_size=2))
    with pytest.raises(XemplarError, match="no study in it; run its `xemplar ingest` again"):
        Corpus.open(tmp_path)
    ingest(many(3), tmp_path, settings(segment_size=2))
    assert len(Corpus.open(tmp_path).studies) == 3


def test_a_corpus_cut_off_while_growing_is_not_complete(tmp_path):
    ingest(many(4), tmp_path, settings(segment_size=2))
    with pytest.raises(RuntimeError):
        ingest(cut_off(many(10), 7, RuntimeError()), tmp_path, settings(segment_size=2))
    assert Corpus.open(tmp_path).card()["complete"] is False
    ingest(many(10), tmp_path, settings(segment_size=2))
    assert Corpus.open(tmp_path).card()["complete"] is True


def test_a_reader_keeps_its_generation_while_the_corpus_grows(tmp_path):
    reader = corpus_of(many(4), tmp_path, segment_size=2)
    ingest(many(10), tmp_path, settings(segment_size=2))
    assert len(reader.studies) == 4
    assert len(Corpus.open(tmp_path).studies) == 10


def _ingest_and_die(folder, arrivals, syncs):
    """Kill this process in the midst of its `syncs`-th write: bytes down, name not yet given."""
    left, fsync = [syncs], os.fsync

    def counted(handle):
        fsync(handle)
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = counted
    ingest(arrivals, folder, settings(segment_size=2), key_salt=SALT)


def killed_ingest(folder, arrivals, syncs):
    process = multiprocessing.get_context("fork").Process(
        target=_ingest_and_die, args=(folder, arrivals, syncs)
    )
    process.start()
    process.join(30)
    return process.exitcode


def test_kills_at_any_moment_lose_nothing_and_double_nothing(tmp_path, undisturbed):
    draw, generations = random.Random(11), []
    for _ in range(7):
        assert killed_ingest(tmp_path, many(20), draw.randint(1, 20)) == -signal.SIGKILL
        try:
            corpus = Corpus.open(tmp_path)
        except XemplarError as error:
            assert "no study in it" in str(error) or "no corpus.json" in str(error)
            continue
        assert corpus.check() == []
        whole, _, _ = undisturbed
        assert corpus.studies == whole[: len(corpus.studies)]
        generations.append(corpus.generation)
    assert generations == sorted(generations)
    assert 0 < len(corpus.studies) < 20
    ingest(many(20), tmp_path, settings(segment_size=2), key_salt=SALT)
    assert content(Corpus.open(tmp_path)) == undisturbed


@pytest.mark.parametrize("syncs", range(1, 8))
def test_a_kill_among_the_first_writes_leaves_a_folder_to_go_on_in(tmp_path, syncs):
    assert killed_ingest(tmp_path, many(4), syncs) == -signal.SIGKILL
    ingest(many(4), tmp_path, settings(segment_size=2), key_salt=SALT)
    assert len(Corpus.open(tmp_path).studies) == 4
    assert list(tmp_path.rglob("*.tmp")) == []


def test_kills_lose_no_rejection_and_double_none(tmp_path):
    arrivals = many(8)
    arrivals[1::2] = [arrival(100 + n, images=[NOWHERE]) for n in range(4)]
    for syncs in (7, 17, 14, 18):
        killed_ingest(tmp_path, arrivals, syncs)
    ingest(arrivals, tmp_path, settings(segment_size=2), key_salt=SALT)
    lines = (tmp_path / "rejected.jsonl").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 4


# Who may write, and into what


def test_two_writers_at_once_the_second_is_told(tmp_path):
    with writing(tmp_path), pytest.raises(XemplarError, match="another process is writing here"):
        ingest(many(1), tmp_path, settings())


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(XemplarError, match="holds other files; wanted a new or empty folder"):
        ingest(many(1), tmp_path, settings())
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "thesis.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write anywhere")
def test_a_read_only_folder_is_told_in_a_line(tmp_path):
    (tmp_path / "corpus").mkdir(mode=0o555)
    with pytest.raises(XemplarError, match=r"cannot be written \(Permission denied\)"):
        ingest(many(1), tmp_path / "corpus", settings())


def test_a_lost_salt_is_told(tmp_path):
    ingest(many(1), tmp_path, settings())
    (tmp_path / "salt").unlink()
    with pytest.raises(XemplarError, match=r"its salt is gone.*put the file `salt` back"):
        ingest(many(2), tmp_path, settings())


def test_another_key_salt_is_refused(tmp_path):
    ingest(many(1), tmp_path, settings(), key_salt=b"one")
    with pytest.raises(MismatchError, match="another key salt was given"):
        ingest(many(2), tmp_path, settings(), key_salt=b"two")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"preview": PreviewSpec(size=128)}, r"has preview \{'size': 128.*wanted \{'size': 64"),
        ({"split_salt": "other"}, "has split_salt other; wanted xemplar"),
        ({"fractions": (0.6, 0.2, 0.2)}, r"has fractions \[0\.6, 0\.2, 0\.2\]; wanted \[0\.7, 0\.1, 0\.2\]"),
        ({"domain": "clinical"}, "has domain clinical; wanted synthetic"),
        ({"texts": "captions"}, "has texts captions; wanted reports"),
        ({"source": "other"}, "has source other; wanted handmade"),
    ],
)
def test_other_settings_than_at_first_are_refused_naming_both(tmp_path, changed, said):
    ingest(many(1), tmp_path, settings())
    with pytest.raises(MismatchError, match=said):
        ingest(many(2), tmp_path, settings(**changed))


def test_another_segment_size_may_go_on(tmp_path):
    ingest(many(5), tmp_path, settings(segment_size=2))
    ingest(many(9), tmp_path, settings(segment_size=50))
    assert len(Corpus.open(tmp_path).studies) == 9


def test_a_corpus_read_with_another_lexicon_does_not_grow(tmp_path, monkeypatch):
    ingest(many(1), tmp_path, settings())
    monkeypatch.setattr("xemplar.corpus.writer.lexicon_version", lambda: "f00d")
    with pytest.raises(
        MismatchError, match=r"this ingest has lexicon f00d; wanted [0-9a-f]+, as at the first"
    ):
        ingest(many(2), tmp_path, settings())


def test_a_corpus_of_another_decoder_neither_grows_nor_opens(tmp_path, monkeypatch):
    ingest(many(1), tmp_path, settings())
    was = PreviewSpec(size=64).fingerprint
    monkeypatch.setattr("xemplar.images.preview.DECODER", 99)
    now = PreviewSpec(size=64).fingerprint
    with pytest.raises(MismatchError, match=f"this ingest has preview_fingerprint {now}; wanted {was}"):
        ingest(many(2), tmp_path, settings())
    with pytest.raises(MismatchError, match=f"the corpus holds previews {was}; wanted previews {now}"):
        Corpus.open(tmp_path)
