"""What an archive drafts: the same draft every time, each line from its source, captions whole."""

import json
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest

from drawn_archive import Stub, by_hand, ingested, rows
from xemplar.archive import CAPTIONS, Archive, facade
from xemplar.drafting.calibration import POLICY
from xemplar.drafting.policies.evidence import ByEvidence
from xemplar.errors import XemplarError
from xemplar.findings import FINDINGS
from xemplar.index import build_index
from xemplar.report import text_key


def test_a_draft_is_the_same_alone_or_among_others(drawn, queries):
    assert rows(drawn.draft_many(queries)) == rows(drawn.draft(query) for query in queries)


def test_a_draft_is_the_same_whatever_is_stopped_beside_it(drawn, queries):
    stopped = replace(queries[0][0], domain=None)
    made = drawn.draft_many([stopped, queries[0], stopped, queries[1]])
    assert rows(made[1::2]) == rows(drawn.draft_many(queries[:2]))


def test_who_drafts_is_made_once_for_all_that_are_drafted_together(drawn, queries, monkeypatch):
    made = []
    monkeypatch.setattr(facade, "ByEvidence", lambda *a, **b: made.append(a) or ByEvidence(*a, **b))
    drafts = drawn.draft_many(queries[:4])
    assert len(made) == 1 and {draft.policy for draft in drafts} == {POLICY}


OTHER = """
    import json, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from drawn_archive import Stub, by_hand, rows
    from xemplar.archive import Archive
    from xemplar.corpus import Corpus
    from xemplar.index import open_index
    corpus = Corpus.open(sys.argv[2])
    index = open_index(sys.argv[3], corpus, Stub())
    archive = Archive(corpus, Stub(), index, calibration=by_hand(index))
    films = [archive.films_of(study) for study in corpus.part("test") if study.views]
    print(json.dumps(rows(archive.draft_many(films))))
"""


def test_a_draft_is_the_same_in_another_process(drawn, queries, index_folder, request):
    folders = [str(request.path.parents[1]), str(drawn.corpus.folder), str(index_folder)]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(OTHER), *folders], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == rows(drawn.draft_many(queries))


def test_every_finding_is_said_or_told_why_not(drawn, queries):
    for draft in drawn.draft_many(queries):
        said = {claim.finding for line in draft.lines for claim in line.claims}
        assert said | set(draft.abstained) == set(FINDINGS)
        assert not said & set(draft.abstained)


def test_a_finding_never_calibrated_says_so(drawn, queries):
    why = "outside what the archive shows: no calibration study has it, 8 wanted"
    assert drawn.draft(queries[0]).abstained["Fracture"] == why


def test_no_line_comes_from_the_patient_asked_about(tmp_path):
    corpus = ingested(tmp_path, domain="synthetic")
    index = build_index(corpus, Stub(), tmp_path / "index")
    archive = Archive(corpus, Stub(), index, calibration=by_hand(index))
    lines = 0
    for study in corpus.studies:
        for line in archive.draft(archive.films_of(study)).lines:
            assert study.patient_id not in {corpus.by_id[i].patient_id for i in line.source_study_ids}
            lines += 1
    assert lines > 5


def test_another_calibration_is_another_draft(drawn, queries, bare):
    other = by_hand(bare.index).model_copy(update={"title": "other"})
    again = Archive(bare.corpus, bare.encoder, bare.index, calibration=other)
    assert again.draft(queries[0]).draft_id != drawn.draft(queries[0]).draft_id


def test_other_pixels_are_another_draft(drawn, queries):
    film = queries[0][0]
    assert drawn.draft(film).draft_id != drawn.draft(replace(film, image=film.image * 0.9)).draft_id


def test_without_a_calibration_there_is_no_draft(bare, queries):
    with pytest.raises(XemplarError, match=r"no calibration is open.*run `xemplar calibrate`"):
        bare.draft(queries[0])


def test_a_draft_carries_the_archives_name(drawn, queries):
    draft = drawn.draft(queries[0])
    assert (draft.domain, draft.fingerprint) == ("synthetic", drawn.fingerprint)
    assert draft.study_id == queries[0][0].study_id


# --- captions -----


def test_captions_are_drafted_whole_with_their_sources(captioned, figure):
    draft = captioned.draft(captioned.load_film(figure))
    written = {text_key(s.text): s for s in captioned.corpus.studies}
    assert len(draft.lines) == CAPTIONS and draft.policy == "nearest 3 by cosine, whole sentences, v1"
    for line in draft.lines:
        assert line.text == line.sentence_text == " ".join(written[line.sentence_id].text.split())
        assert line.source_study_ids == (written[line.sentence_id].study_id,)


def test_a_captions_confidence_is_unknown(captioned, figure):
    draft = captioned.draft(captioned.load_film(figure))
    assert all(line.confidence is None and line.claims == () for line in draft.lines)
    assert draft.abstained == {}


def test_captions_are_the_nearest_ones(captioned, figure):
    film = captioned.load_film(figure)
    items = captioned.index.items["sentence"]
    cosines = np.asarray(items.vectors) @ captioned.encoder.encode_images([film.image])[0]
    nearest = [items.ids[row] for row in np.argsort(-cosines, kind="stable")[:CAPTIONS]]
    assert [line.sentence_id for line in captioned.draft(film).lines] == nearest


def test_a_figure_of_the_corpus_is_not_its_own_source(captioned):
    for study in captioned.corpus.studies[:5]:
        for line in captioned.draft(captioned.films_of(study)).lines:
            assert study.study_id not in line.source_study_ids
