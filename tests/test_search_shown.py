"""What `xemplar search` prints: precision where it was measured, likeness beside a reading, who is out."""

import json

import pytest

from handmade import HashEncoder, arrival, corpus_of
from xemplar.archive import Archive
from xemplar.cli import search as verb
from xemplar.errors import XemplarError
from xemplar.index import build_index
from xemplar.retrieval.measured import measured


def archive_of(domain, folder):
    corpus = corpus_of(
        [
            arrival(n, findings="Left pleural effusion.", domain=domain, facets={"sex": "FM"[n % 2]})
            for n in range(4)
        ],
        folder / "corpus",
        domain=domain,
    )
    index = build_index(corpus, HashEncoder(), folder / "index", parts=("train", "val", "test"))
    return Archive(corpus, HashEncoder(), index)


@pytest.fixture(scope="module")
def clinical(tmp_path_factory):
    return archive_of("clinical", tmp_path_factory.mktemp("clinical"))


def film_of(archive):
    study = archive.corpus.studies[0]
    return archive.corpus.film(study, study.views[0])


def test_the_measured_figure_is_told_with_where_it_was_measured(clinical, capsys):
    verb._show(clinical, clinical.ask("left effusion"), alike=False)
    said = capsys.readouterr().out
    held = measured()
    assert held is not None and str(held) in said
    assert f"of {held.pairs} such {held.precision:.0%} were right [{held.low:.0%}, " in said
    assert "no promise elsewhere" in said and "probably relevant 0." in said


def test_of_drawn_reports_neither_precision_nor_probability_is_told(tmp_path, capsys):
    archive = archive_of("synthetic", tmp_path)
    verb._show(archive, archive.ask("left effusion"), alike=False)
    said = capsys.readouterr().out
    assert "right" not in said and "probab" not in said and "relevance 0." in said


def test_beside_an_image_each_hit_tells_how_alike_it_is(clinical, capsys):
    answer = clinical.ask("left effusion", like=film_of(clinical))
    verb._show(clinical, answer, alike=True)
    assert f"  1. alike {answer.hits[0].score:.2f}, " in capsys.readouterr().out


@pytest.mark.parametrize("as_json", [False, True])
def test_whom_a_facet_leaves_out_of_a_plain_search_is_told(clinical, as_json, capsys):
    verb._plainly(clinical, verb.Wanted("effusion", "report", 9, {"sex": "f"}, None), as_json=as_json)
    said = capsys.readouterr().out
    if as_json:
        told = json.loads(said)
        assert told["excluded"] == {"not sex f": 2} and len(told["hits"]) == 2
    else:
        assert "  left out, not sex f: 2\n" in said and said.count("Left pleural effusion.") == 2


@pytest.mark.parametrize("written", ['{"reading": null, "hits": []}', "[]", "3"])
def test_a_file_without_a_reading_is_refused(written, tmp_path):
    (tmp_path / "reading.json").write_text(written)
    with pytest.raises(XemplarError, match="no reading in it"):
        verb.reading_of(None, tmp_path / "reading.json")
