"""What does not enter a corpus: on file with its reason, counted, and not told twice."""

import json
from dataclasses import fields, replace
from datetime import datetime

import pytest
from PIL import Image, PngImagePlugin

from handmade import NOWHERE, Pattern, arrival, corpus_of, many, settings
from xemplar.corpus import Corpus, ingest
from xemplar.errors import MismatchError, XemplarError
from xemplar.records import Claim, PixelHistory, Rejected, Study, View


def on_file(folder):
    return [json.loads(line) for line in (folder / "rejected.jsonl").read_text().splitlines()]


def broken(number, *, readable=0):
    images = [*(Pattern(number) for _ in range(readable)), NOWHERE]
    return arrival(number, patient="p", findings="Clear lungs.", images=images)


def test_an_unreadable_image_is_on_file_with_its_reason(tmp_path):
    summary = ingest([*many(2), broken(50)], tmp_path, settings())
    (row,) = on_file(tmp_path)
    assert row["reason"].startswith("unreadable image: no such file")
    assert row["where"] == "films/50-0.png"
    assert summary.rejected == {"unreadable image": 1}
    assert Corpus.open(tmp_path).card()["rejected"] == 1


def test_a_study_without_a_readable_image_stays_out(tmp_path):
    corpus = corpus_of([*many(2), broken(50)], tmp_path)
    assert len(corpus.studies) == 2
    assert "Clear lungs." not in {sentence.text for sentence in corpus.sentences}


def test_a_study_is_kept_when_another_view_is_readable(tmp_path):
    corpus = corpus_of([broken(50, readable=1)], tmp_path)
    (study,) = corpus.studies
    assert [view.path for view in study.views] == ["films/50-0.png"]
    assert [row["where"] for row in on_file(tmp_path)] == ["films/50-1.png"]


def test_previews_still_belong_to_their_views_when_one_is_missing(tmp_path):
    arrivals = [arrival(n, images=[Pattern(n), NOWHERE, Pattern(n + 100)]) for n in range(3)]
    corpus = corpus_of(arrivals, tmp_path)
    for n, study in enumerate(corpus.studies):
        found = corpus.preview_pixels([view.view_id for view in study.views])
        assert [(p == Pattern(s).draw()).all() for p, s in zip(found, (n, n + 100), strict=True)] == [
            True,
            True,
        ]


def picture(path, mark=None):
    info = PngImagePlugin.PngInfo()
    if mark is not None:
        info.add_text("xemplar-domain", mark)
    Image.fromarray(Pattern(1).draw()).save(path, pnginfo=info)
    return path


@pytest.mark.parametrize(
    ("mark", "domain"), [("synthetic", "clinical"), ("synthetic", "figures"), ("clinical", "synthetic")]
)
def test_an_image_marked_as_of_another_domain_stays_out(tmp_path, mark, domain):
    images = [picture(tmp_path / "plain.png"), picture(tmp_path / "marked.png", mark)]
    arrivals = [
        arrival(1, patient="p", domain=domain, images=images),
        arrival(2, patient="p", domain=domain, images=images[1:]),
    ]
    summary = ingest(arrivals, tmp_path / "corpus", settings(domain=domain))
    (study,) = Corpus.open(tmp_path / "corpus").studies
    assert [view.path for view in study.views] == ["films/1-0.png"]
    assert summary.rejected == {"of another domain": 2}
    rows = on_file(tmp_path / "corpus")
    assert [row["where"] for row in rows] == ["films/1-1.png", "films/2-0.png"]
    assert {row["reason"] for row in rows} == {f"of another domain: marked {mark}, this corpus is {domain}"}


@pytest.mark.parametrize("mark", [None, "figures"])
def test_an_image_without_a_mark_or_of_the_same_domain_enters(tmp_path, mark):
    said = arrival(1, domain="figures", images=[picture(tmp_path / "film.png", mark)])
    assert len(corpus_of([said], tmp_path / "corpus", domain="figures").studies) == 1


def test_a_study_named_twice_is_kept_once(tmp_path):
    summary = ingest([*many(5), many(1)[0]], tmp_path, settings())  # across segments
    assert summary.rejected == {"study twice": 1}
    assert len(Corpus.open(tmp_path).studies) == 5


def test_a_study_named_twice_in_one_segment_is_kept_once(tmp_path):
    summary = ingest([*many(2), many(1)[0]], tmp_path, settings())
    assert (summary.added, summary.rejected) == (2, {"study twice": 1})


@pytest.mark.parametrize(
    "other",
    [
        {"findings": "Changed."},
        {"patient": "another"},
        {"images": [Pattern(1), Pattern(2)]},
        {"impression": "New."},
    ],
)
def test_a_study_changed_since_is_told_and_the_old_one_kept(tmp_path, other):
    ingest([arrival(1, patient="p", findings="As it was.")], tmp_path, settings())
    changed = arrival(1, **{"patient": "p", "findings": "As it was.", **other})
    summary = ingest([changed], tmp_path, settings())
    assert summary.rejected == {"changed since it was first ingested": 1}
    assert [study.findings for study in Corpus.open(tmp_path).studies] == ["As it was."]


CHANGED = {
    "patient_id": "another",
    "study_uid": "1.2.4",
    "accession": "A2",
    "acquired_at": datetime(2021, 3, 4, 5, 6, 8),
    "modality": "DX",
    "language": "eng",
    "indication": "Cough.",
    "comparison": "None.",
    "findings": "Changed.",
    "impression": "New.",
    "report_status": "final",
    "report_version": 2,
    "prior_id": "before",
    "claims": (Claim("Cardiomegaly", "present"),),
    "labels": {"Cardiomegaly": "absent"},
    "facets": {"ward": "8"},
    "split": "val",
    "split_unit": "official",
    "licence": "CC0",
}
WAS = arrival(
    1, patient="p", split="train", labels={"Cardiomegaly": "present"}, facets={"ward": "7"},
    acquired_at=datetime(2021, 3, 4, 5, 6, 7),
)  # fmt: skip
NOT_SAID = {"study_id", "domain", "source", "views"}


def again(folder, changed):
    ingest([WAS], folder, settings())
    return ingest([changed], folder, settings()).rejected


@pytest.mark.parametrize("name", [field.name for field in fields(Study) if field.name not in NOT_SAID])
def test_a_study_with_one_field_changed_is_told(tmp_path, name):
    changed = replace(WAS, study=replace(WAS.study, **{name: CHANGED[name]}))
    assert again(tmp_path, changed) == {"changed since it was first ingested": 1}


VIEW = {
    "view_id": "another",
    "sop_instance_uid": "1.2",
    "position": "lateral",
    "laterality": "L",
    "pixel_spacing": (0.1, 0.1),
    "pixels": PixelHistory("DICOM", 2, 2),
    "path": "elsewhere.png",
    "sha256": "0" * 64,
}


@pytest.mark.parametrize("name", [field.name for field in fields(View)])
def test_a_view_with_one_field_changed_is_told(tmp_path, name):
    view = replace(WAS.study.views[0], **{name: VIEW[name]})
    changed = replace(WAS, study=replace(WAS.study, views=(view,)))
    assert again(tmp_path, changed) == {"changed since it was first ingested": 1}


def test_another_group_is_told(tmp_path):
    assert again(tmp_path, replace(WAS, split_key="q")) == {"changed since it was first ingested": 1}


def test_another_name_of_the_source_is_no_change(tmp_path):
    assert again(tmp_path, replace(WAS, study=replace(WAS.study, source="renamed.csv"))) == {}


def test_a_source_s_own_rejections_are_on_file(tmp_path):
    ingest([Rejected("row-9", "no text and no image", "row 9"), *many(1)], tmp_path, settings())
    assert [(row["reason"], row["where"]) for row in on_file(tmp_path)] == [("no text and no image", "row 9")]


def test_rejections_after_the_last_study_are_on_file(tmp_path):
    ingest([*many(4), Rejected("row-9", "no text", "row 9")], tmp_path, settings(segment_size=4))
    assert len(on_file(tmp_path)) == Corpus.open(tmp_path).manifest["rejected"]["rows"] == 1


@pytest.mark.parametrize("arrivals", [[broken(1), broken(2)], []])
def test_nothing_readable_is_an_error_that_says_why(tmp_path, arrivals):
    why = "2 unreadable image" if arrivals else "the source is empty"
    with pytest.raises(XemplarError, match=rf"no study could be read \({why}\)"):
        ingest(arrivals, tmp_path, settings())


def test_the_error_names_the_first_rejection(tmp_path):
    with pytest.raises(XemplarError, match=r"first: films/1-0\.png: unreadable image: no such file"):
        ingest([broken(1), broken(2)], tmp_path, settings())


def test_the_first_rejection_is_told_by_its_salted_key(tmp_path):
    summary = ingest([*many(2), many(1)[0]], tmp_path, settings())
    (row,) = on_file(tmp_path)
    assert summary.first_rejected == Rejected(row["key"], row["reason"], row["where"])
    assert "source-" not in str(summary.first_rejected)


def test_an_error_holds_no_key_of_the_source(tmp_path):
    with pytest.raises(XemplarError, match=r"first: [0-9a-f]{16}: no text") as caught:
        ingest([Rejected("source-row-9", "no text")], tmp_path, settings())
    assert "source-" not in str(caught.value)


def test_a_second_run_repeats_no_rejection(tmp_path):
    arrivals = [*many(3), broken(50), many(1)[0], Rejected("row-9", "no text", "row 9")]
    first = ingest(arrivals, tmp_path, settings())
    rows = on_file(tmp_path)
    second = ingest(arrivals, tmp_path, settings())
    assert on_file(tmp_path) == rows
    assert len(rows) == 3
    assert second.rejected == first.rejected  # still counted


def test_a_second_run_with_nothing_new_leaves_the_generation(tmp_path):
    first = ingest([*many(3), broken(50)], tmp_path, settings())
    second = ingest([*many(3), broken(50)], tmp_path, settings())
    assert (second.added, second.already_there, second.generation) == (0, 3, first.generation)


def test_an_image_that_became_readable_enters_at_the_next_run(tmp_path):
    ingest([*many(1), broken(50)], tmp_path, settings())
    ingest([*many(1), arrival(50, patient="p", findings="Clear lungs.")], tmp_path, settings())
    assert len(Corpus.open(tmp_path).studies) == 2


def test_a_torn_tail_of_the_rejections_is_cut(tmp_path):
    ingest([*many(1), broken(50)], tmp_path, settings())
    rows = on_file(tmp_path)
    with (tmp_path / "rejected.jsonl").open("a") as stream:
        stream.write('{"key": "torn')
    assert len(Corpus.open(tmp_path).studies) == 1  # a reader is not disturbed
    ingest([*many(1), broken(50), broken(51)], tmp_path, settings())
    assert on_file(tmp_path)[:-1] == rows
    assert on_file(tmp_path)[-1]["where"] == "films/51-0.png"


@pytest.mark.parametrize("kept", [0, 10, None])
def test_rejections_that_were_lost_are_told_on_open_and_on_ingest(tmp_path, kept):
    ingest([*many(1), broken(50)], tmp_path, settings())
    path = tmp_path / "rejected.jsonl"
    if kept is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(MismatchError, match=r"rejected\.jsonl (has|is missing)"):
        Corpus.open(tmp_path)
    with pytest.raises(MismatchError, match=r"rejected\.jsonl has"):
        ingest(many(1), tmp_path, settings())


def test_damaged_rejections_are_named_on_ingest(tmp_path):
    ingest([*many(1), broken(50)], tmp_path, settings())
    path = tmp_path / "rejected.jsonl"
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(XemplarError, match=r"rejected\.jsonl can't be read; run `xemplar corpus check`"):
        ingest(many(2), tmp_path, settings())
