"""Which split a study falls into: with its patient or group, for good, and as a source says."""

import random

import pytest
from pydantic import ValidationError

from handmade import NOWHERE, arrival, corpus_of, settings
from xemplar.corpus import Corpus, ingest


def crowd(count, *, start=0, patients=60):
    draw = random.Random(5)
    owners = [f"patient {draw.randrange(patients)}" for _ in range(start + count)]
    return [arrival(n, patient=owners[n], images=()) for n in range(start, start + count)]


def splits_of(corpus, arrivals):
    """Split of each source study; a corpus keeps the order of arrival."""
    pairs = zip(arrivals, corpus.studies, strict=True)
    return {arrival.study.study_id: study.split for arrival, study in pairs}


def test_no_patient_is_in_two_splits(tmp_path):
    corpus = corpus_of(crowd(300), tmp_path, segment_size=50)
    of_patient = {}
    for study in corpus.studies:
        of_patient.setdefault(study.patient_id, set()).add(study.split)
    assert {len(splits) for splits in of_patient.values()} == {1}
    assert set().union(*of_patient.values()) == {"train", "val", "test"}


def test_patients_without_a_split_key_stay_together_all_the_same(tmp_path):
    arrivals = [arrival(n, patient=f"p{n % 5}", split_key=None, images=()) for n in range(60)]
    corpus = corpus_of(arrivals, tmp_path, segment_size=50)
    assert len({(study.patient_id, study.split) for study in corpus.studies}) == 5
    assert {study.split_unit for study in corpus.studies} == {"patient"}


def test_splits_come_near_the_fractions(tmp_path):
    arrivals = [arrival(n, patient=f"p{n}", images=()) for n in range(1000)]
    corpus = corpus_of(arrivals, tmp_path, fractions=(0.5, 0.25, 0.25), segment_size=1000)
    counts = [len(corpus.part(split)) for split in ("train", "val", "test")]
    assert counts == pytest.approx([500, 250, 250], abs=50)  # over three standard deviations


def test_growing_the_archive_moves_nobody(tmp_path):
    arrivals = crowd(300)
    before = splits_of(corpus_of(arrivals[:100], tmp_path, segment_size=50), arrivals[:100])
    after = splits_of(corpus_of(arrivals, tmp_path, segment_size=50), arrivals)
    assert before.items() <= after.items()
    assert len(after) == 300


def test_the_same_split_salt_gives_the_same_splits_with_another_key_salt(tmp_path):
    arrivals = crowd(80)
    found = []
    for salt in (b"one", b"another"):
        ingest(arrivals, tmp_path / salt.decode(), settings(segment_size=80), key_salt=salt)
        found.append(splits_of(Corpus.open(tmp_path / salt.decode()), arrivals))
    assert found[0] == found[1]


def test_another_split_salt_gives_other_splits(tmp_path):
    arrivals = crowd(80)
    found = [
        splits_of(corpus_of(arrivals, tmp_path / salt, split_salt=salt, segment_size=80), arrivals)
        for salt in ("one", "another")
    ]
    assert found[0] != found[1]


def test_an_official_split_is_taken_as_given(tmp_path):
    official = ["test", "train", "val"] * 4
    arrivals = [arrival(n, patient=f"p{n}", split=split, images=()) for n, split in enumerate(official)]
    corpus = corpus_of(arrivals, tmp_path)
    assert [study.split for study in corpus.studies] == official
    assert {study.split_unit for study in corpus.studies} == {"official"}


def official(number, split, **owner):
    return arrival(number, split=split, split_unit="official", images=(), **owner)


PATIENT, GROUP = {"patient": "p"}, {"split_key": "article"}


@pytest.mark.parametrize(("owner", "who"), [(PATIENT, "patient"), (GROUP, "group")])
@pytest.mark.parametrize("size", [1, 4])  # across segments, and within one
def test_a_study_whose_patient_is_in_another_split_stays_out(tmp_path, owner, who, size):
    arrivals = [official(n, split, **owner) for n, split in enumerate(("test", "train", "test"))]
    arrivals.append(official(3, "train", patient="q"))
    summary = ingest(arrivals, tmp_path, settings(segment_size=size))
    assert [study.split for study in Corpus.open(tmp_path).studies] == ["test", "test", "train"]
    assert summary.rejected == {f"its {who} is in another split": 1}
    assert summary.first_rejected.reason == f"its {who} is in another split: test, not train"


def test_the_first_split_of_a_patient_stands_when_the_corpus_grows(tmp_path):
    first = [official(0, "val", patient="p"), official(1, "train", split_key="article")]
    ingest(first, tmp_path, settings())
    later = [official(2, "test", patient="p"), official(3, "test", split_key="article")]
    summary = ingest([*first, *later, official(4, "val", patient="p")], tmp_path, settings())
    assert [study.split for study in Corpus.open(tmp_path).studies] == ["val", "train", "val"]
    assert (summary.already_there, sum(summary.rejected.values())) == (2, 2)


def test_a_drawn_split_stands_against_an_official_one(tmp_path):
    ingest([arrival(0, patient="p", images=())], tmp_path, settings())
    (held,) = {study.split for study in Corpus.open(tmp_path).studies}
    others = [split for split in ("train", "val", "test") if split != held]
    summary = ingest([official(1, others[0], patient="p")], tmp_path, settings())
    assert summary.rejected == {"its patient is in another split": 1}


def test_a_patient_in_two_groups_is_in_one_split(tmp_path):
    arrivals = [arrival(n, patient="p", split_key=f"article {n}", images=()) for n in range(30)]
    corpus = corpus_of(arrivals, tmp_path)
    assert len({study.split for study in corpus.studies}) == 1
    assert 1 < len(corpus.studies) < 30


def test_a_study_that_never_entered_places_nobody(tmp_path):
    unreadable = arrival(0, patient="p", split="train", images=[NOWHERE])
    corpus = corpus_of([unreadable, official(1, "test", patient="p")], tmp_path)
    assert [study.split for study in corpus.studies] == ["test"]


def test_a_group_stays_in_one_split(tmp_path):
    arrivals = [arrival(n, split_key=f"article {n % 12}", split_unit="group", images=()) for n in range(120)]
    corpus = corpus_of(arrivals, tmp_path, segment_size=120)
    groups = {(study.facets["cluster"], study.split) for study in corpus.studies}
    assert len(groups) == 12 == len({cluster for cluster, _ in groups})
    assert {study.split_unit for study in corpus.studies} == {"group"}
    assert corpus.title == "synthetic, 12 groups, patients unknown, 120 studies"


def test_a_group_wins_over_the_patients_in_it(tmp_path):
    arrivals = [arrival(n, patient=f"p{n}", split_key="site", images=()) for n in range(40)]
    corpus = corpus_of(arrivals, tmp_path, segment_size=40)
    assert len({(study.facets["cluster"], study.split) for study in corpus.studies}) == 1


def test_a_study_alone_is_split_by_itself_and_says_so(tmp_path):
    corpus = corpus_of([arrival(n, images=()) for n in range(60)], tmp_path, segment_size=60)
    assert len({study.split for study in corpus.studies}) > 1
    assert {study.split_unit for study in corpus.studies} == {"study"}
    assert corpus.patients is None
    assert corpus.title == "synthetic, patients unknown, 60 studies"


def test_a_source_s_facet_is_never_written_over(tmp_path):
    with pytest.raises(ValueError, match="facet named cluster"):
        corpus_of([arrival(1, facets={"cluster": "own"})], tmp_path)


@pytest.mark.parametrize(
    "wrong", [(0, 0, 0), (0.8, -0.1, 0.3), (float("nan"), 0.5, 0.5), (float("inf"), 1, 1)]
)
def test_fractions_that_are_none_are_refused(wrong):
    with pytest.raises(
        ValidationError, match="fractions of train, val and test are 0 or more, and not all 0"
    ):
        settings(fractions=wrong)


@pytest.mark.parametrize("split", [0, 1, 2])
def test_a_part_may_be_the_whole(tmp_path, split):
    fractions = tuple(float(place == split) for place in range(3))
    corpus = corpus_of([arrival(n, images=()) for n in range(20)], tmp_path, fractions=fractions)
    assert {study.split for study in corpus.studies} == {("train", "val", "test")[split]}
