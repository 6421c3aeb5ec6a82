"""What a search tells of itself: of how many studies, what isn't read, whom its gate would stop."""

import json
from dataclasses import replace

import numpy as np
import pytest

from handmade import SIZE, HashEncoder, Pattern, arrival, corpus_of
from xemplar.archive import BLANK, Archive
from xemplar.archive.searching import UNDRAFTED, UNREAD
from xemplar.cli import search as verb
from xemplar.drafting.gate.reasons import CHILD, HELD, LATERAL_ALONE
from xemplar.images import PreviewSpec, preview_from_array
from xemplar.index import build_index
from xemplar.retrieval import read_query
from xemplar.retrieval.answered import evidence
from xemplar.retrieval.finder import ITS_OWN

SAID = (
    "Left pleural effusion.",
    "No pleural effusion.",
    "No pneumothorax.",
    "Left pleural effusion, pneumothorax.",
)


class Counting(HashEncoder):
    """An encoder that counts the images it is shown."""

    images = 0

    def encode_images(self, images):
        self.images += len(images)
        return super().encode_images(images)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Ten indexed studies of twelve, two of each patient, one of them without an image."""
    folder = tmp_path_factory.mktemp("told")
    own = [
        arrival(
            n,
            patient=f"patient-{n // 2}",
            findings=SAID[n % 4],
            domain="clinical",
            images=[] if n == 9 else [Pattern(n)],
        )
        for n in range(12)
    ]
    own = [replace(one, study=replace(one.study, split="train" if n < 10 else "test"))
           for n, one in enumerate(own)]  # fmt: skip
    corpus = corpus_of(own, folder / "corpus", domain="clinical")
    return Archive(corpus, Counting(), build_index(corpus, HashEncoder(), folder / "index", parts=("train",)))


@pytest.fixture
def own(archive):
    """An indexed film as the archive's own."""
    study = next(one for one in archive.corpus.part("train") if one.views)
    return archive.corpus.film(study, study.views[0])


@pytest.fixture
def film(own):
    """A film of which nothing is known, and that no study holds."""
    unknown = {"study_id": None, "patient_id": None, "cluster": None, "sha256": None}
    return replace(own, image=own.image.T.copy(), **unknown)


def plainly(archive, query, kind="report", **options):
    verb._plainly(archive, verb.Wanted(query, kind, 3, {}, None), **options)


def test_a_search_of_a_part_says_of_how_many_studies(archive, capsys):
    verb._show(archive, archive.ask("left effusion"), alike=False)
    plainly(archive, "effusion", as_json=False)
    assert capsys.readouterr().out.count("\nsearched: 10 of 12 studies: train\n") == 2


@pytest.mark.parametrize(("kind", "many"), [("report", 10), ("image", 9)])
def test_and_so_does_its_json(archive, kind, many, capsys):
    plainly(archive, "effusion", kind, as_json=True)
    assert json.loads(capsys.readouterr().out)["searched"] == {"studies": many, "of": 12, "parts": ["train"]}


def test_a_read_searchs_json_says_it_too(archive, capsys):
    for query in ("effusion", "zebra"):
        verb._tell(archive, archive.ask(query), None, as_json=True)
        told = json.loads(capsys.readouterr().out)
        assert told["searched"] == {"studies": 10, "of": 12, "parts": ["train"]} and told["notes"] == []


def test_that_no_query_is_read_for_sentences_is_said(archive, capsys):
    plainly(archive, "no effusion", "sentence", as_json=False)
    assert f"\n  {UNREAD}\n" in capsys.readouterr().out
    plainly(archive, "no effusion", "sentence", as_json=True)
    assert json.loads(capsys.readouterr().out)["notes"] == [UNREAD]


def test_for_reports_and_for_an_image_it_is_not(archive, own):
    assert archive.alike("no effusion", kind="report").notes == ()
    assert archive.alike(own, kind="sentence").notes == ()


def test_nothing_found_is_said(archive, capsys):
    verb._show(archive, archive.ask("effusion"), alike=False)
    some = capsys.readouterr().out
    verb._show(archive, archive.ask("cardiomegaly without effusion"), alike=False)
    assert "nothing found\n" in capsys.readouterr().out and "  1. " in some and "nothing found" not in some


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("The right lower lobe is clear.", "lobe"),
        ("Azygos lobes.", "azygos lobe"),
        ("An azygos vein.", "azygos"),
    ],
)
def test_words_are_named_that_the_sentence_holds(said, names):
    (found,) = evidence(arrival(0, findings=said).study, read_query("azygos lobe"))
    assert (found.asked, found.text) == (names, said)


STOPPED = (
    ({"position": "lateral"}, LATERAL_ALONE),
    ({"age_years": 3.0}, CHILD),
    ({"pixels": preview_from_array(np.zeros((SIZE, SIZE), np.uint8), PreviewSpec(size=SIZE)).history}, BLANK),
)


@pytest.mark.parametrize(("facts", "gate"), STOPPED)
def test_an_image_that_would_not_be_drafted_for_is_answered_with_a_note(archive, film, facts, gate, capsys):
    odd = replace(film, **facts)
    note = UNDRAFTED + gate.removeprefix("no draft: ")
    answers = archive.alike(odd, 3), archive.ask("effusion", 3, like=odd)
    assert [one.notes for one in answers] == [(note,)] * 2 and all(one.hits for one in answers)
    plainly(archive, odd, as_json=False)
    verb._show(archive, answers[1], alike=True)
    assert capsys.readouterr().out.count(f"\n  {note}\n") == 2
    verb._tell(archive, answers[1], odd, as_json=True)
    assert json.loads(capsys.readouterr().out)["notes"] == [note]


def test_a_proper_film_goes_without_one(archive, film):
    assert archive.alike(film).notes == archive.ask("effusion", like=film).notes == ()


def test_of_a_study_that_is_left_out_it_isnt_said_that_it_holds_the_film(archive, own):
    assert archive.alike(own).notes == ()
    as_a_file = replace(own, study_id=None, patient_id=None, cluster=None)
    (note,) = archive.alike(as_a_file).notes  # nobody's, by its bytes: known again by its looks alone
    assert note == UNDRAFTED + HELD.format(study_id=own.study_id).removeprefix("no draft: ")


def test_an_image_is_encoded_once(archive, film):
    before = archive.encoder.images
    archive.alike(film)
    archive.ask("effusion", like=film)
    assert archive.encoder.images == before + 2


@pytest.mark.parametrize("kind", ["report", "image"])
def test_what_is_alike_is_what_a_search_finds(archive, film, kind):
    assert archive.alike(film, 5, kind=kind).hits == archive.search(film, 5, kind=kind)


@pytest.mark.parametrize("query", ["effusion", "no effusion, without pneumothorax"])
def test_beside_an_image_every_report_is_found_or_counted(archive, own, query):
    answer = archive.ask(query, 30, like=own)
    others = sum(one.patient_id == own.patient_id for one in archive.corpus.part("train"))
    assert others == 2 and 0 < answer.excluded[ITS_OWN] <= others
    assert len(answer.found) + sum(answer.excluded.values()) == answer.studies == 10


def test_an_order_by_image_is_not_told_as_one_by_denials(archive, film):
    asked = archive.ask("no effusion").reading
    assert "plainly deny" in str(asked)
    for query in ("no effusion", asked):
        assert "plainly deny" not in str(archive.ask(query, like=film).reading)


def lines_between(archive, probabilities, capsys):
    answer = archive.ask("left effusion", len(probabilities))
    found = [replace(one, probability=p) for one, p in zip(answer.found, probabilities, strict=True)]
    verb._show(archive, replace(answer, found=tuple(found)), alike=False)
    shown = [line for line in capsys.readouterr().out.splitlines() if "---" in line or " study " in line]
    return ["---" in line for line in shown]


def test_a_line_stands_between_hits_above_and_below_the_cut_off(archive, capsys):
    cut_off = archive.ask("left effusion").cut_off
    assert cut_off is not None
    between = lines_between(archive, (cut_off + 0.05, cut_off, cut_off - 0.2), capsys)
    assert between == [False, False, True, False]


@pytest.mark.parametrize("all_of", [(0.95, 0.9, 0.9), (0.8, 0.7, 0.1)])
def test_and_none_where_all_are_on_one_side(archive, all_of, capsys):
    assert lines_between(archive, all_of, capsys) == [False] * 3
