"""What every source promises, each on a small made-up copy of its layout."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import get_args

import pytest
from drawn_files import PLANTED, without_pixels
from layouts import LAYOUTS, Layout

from xemplar.contracts import Arrival
from xemplar.corpus import Corpus, IngestSettings, IngestSummary, ingest
from xemplar.images import PreviewSpec
from xemplar.records import SPLITS, Presence, Rejected

SALT = b"contract"
SIZE = 64


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Layout:
    return LAYOUTS[request.param](tmp_path / "source")


@pytest.fixture(params=[name for name in LAYOUTS if name != "phantom"])
def of_files(request: pytest.FixtureRequest, tmp_path: Path) -> Layout:
    """The sources whose images are files."""
    return LAYOUTS[request.param](tmp_path / "source")


def arrivals(layout: Layout) -> list[Arrival]:
    return [one for one in layout.read() if isinstance(one, Arrival)]


def rejected(layout: Layout) -> list[Rejected]:
    return [one for one in layout.read() if isinstance(one, Rejected)]


def ingested(layout: Layout, folder: Path, workers: int = 1) -> IngestSummary:
    settings = IngestSettings(
        domain=layout.domain,
        texts="reports",
        source="contract",
        preview=PreviewSpec(size=SIZE),
        segment_size=3,
    )
    return ingest(layout.read(), folder, settings, workers=workers, key_salt=SALT)


def corpus_of(layout: Layout, folder: Path, workers: int = 1) -> tuple[Corpus, Counter[str]]:
    rejected = ingested(layout, folder, workers).rejected
    return Corpus.open(folder), rejected


def test_the_studies_are_those_laid_out(layout):
    assert tuple(one.study.study_id for one in arrivals(layout)) == layout.studies


def test_what_is_no_study_is_counted_by_its_reason(layout):
    assert Counter(one.reason for one in rejected(layout)) == layout.rejected


def test_ids_are_unique(layout):
    found = arrivals(layout)
    assert len({one.study.study_id for one in found}) == len(found)
    views = [(one.study.study_id, view.view_id) for one in found for view in one.study.views]
    assert len(set(views)) == len(views)


def test_two_runs_are_alike(layout):
    first, second = list(layout.read()), list(layout.read())
    assert [repr(one) for one in first] == [repr(one) for one in second]


def test_every_view_has_its_image(layout):
    for one in arrivals(layout):
        assert len(one.images) == len(one.study.views)


def test_every_path_is_of_the_image_and_relative(of_files):
    for one in arrivals(of_files):
        for view, image in zip(one.study.views, one.images, strict=True):
            assert not Path(view.path).is_absolute()
            assert ".." not in Path(view.path).parts
            assert (of_files.root / view.path).samefile(image)


def test_every_image_is_in_one_study_or_rejected(of_files):
    taken = [path for one in arrivals(of_files) for path in one.images]
    assert len(set(taken)) == len(taken)
    told = rejected(of_files)
    for path in set(of_files.images()) - set(taken):
        relative = path.relative_to(of_files.root).as_posix()
        study = path.parent.name
        told_of = [one for one in told if relative in (one.key, one.where) or one.key == study]
        # A study of one folder is rejected whole; two films of one study by the first of them.
        beside = [
            one
            for one in told
            if Path(one.where).parent == Path(relative).parent and "more than" in one.reason
        ]
        assert told_of or beside, relative


def test_a_patient_is_under_one_split_key_and_in_one_split(layout):
    keys, splits = defaultdict(set), defaultdict(set)
    for one in arrivals(layout):
        assert one.study.patient_id is not None
        keys[one.study.patient_id].add(one.split_key)
        splits[one.split_key].add(one.study.split)
    assert all(len(found) == 1 for found in keys.values())
    assert all(len(found) == 1 for found in splits.values())
    assert set().union(*splits.values()) <= {None, *SPLITS}


def test_the_domain_is_the_sources(layout):
    assert {one.study.domain for one in arrivals(layout)} == {layout.domain}


def test_labels_are_presences(layout):
    said = {value for one in arrivals(layout) for value in one.study.labels.values()}
    assert said <= set(get_args(Presence))


def test_facets_are_words_and_leave_the_cluster_alone(layout):
    for one in arrivals(layout):
        assert all(isinstance(value, str) and value for value in one.study.facets.values())
        assert "cluster" not in one.study.facets


def test_a_prior_is_another_study_of_the_patient_and_earlier(layout):
    found = {one.study.study_id: one.study for one in arrivals(layout)}
    for study in found.values():
        before = found.get(study.prior_id)
        if before is not None:
            assert before.patient_id == study.patient_id
            assert before.acquired_at < study.acquired_at


def test_nothing_of_the_patient_is_said(layout):
    for one in layout.read():
        assert not any(word.casefold() in repr(one).casefold() for word in PLANTED)


def test_listing_reads_no_pixels(of_files):
    before = [repr(one) for one in of_files.read()]
    for path in of_files.images():
        without_pixels(path)
    assert [repr(one) for one in of_files.read()] == before


def test_a_film_that_cannot_be_read_stops_no_other(of_files, tmp_path):
    corpus, reasons = corpus_of(of_files, tmp_path / "corpus")
    assert len(corpus.studies) == len(of_files.studies) - 1
    assert sum("unreadable image" in reason for reason in reasons.elements()) == 1


@pytest.mark.parametrize("name", ["phantom", "openi-nlm", "dicom"])
def test_two_workers_make_the_same_corpus(name, tmp_path):
    layout = LAYOUTS[name](tmp_path / "source")
    one, first = corpus_of(layout, tmp_path / "one", workers=1)
    two, second = corpus_of(layout, tmp_path / "two", workers=2)
    assert one.studies == two.studies
    assert one.fingerprint == two.fingerprint
    assert first == second


def test_a_second_ingest_adds_nothing(layout, tmp_path):
    ingested(layout, tmp_path / "corpus")
    done = ingested(layout, tmp_path / "corpus")
    assert done.added == 0
    assert not any("study twice" in reason and "source names" in reason for reason in done.rejected)
