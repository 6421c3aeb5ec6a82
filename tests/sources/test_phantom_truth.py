"""Sampling: the same for ever, at the stated rates, with patients and priors that hang together."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from examinations import sampled

from xemplar.contracts import Drawable, Written
from xemplar.errors import XemplarError
from xemplar.sources.phantom import FINDINGS, VERSION, studies

NAMES = (
    "Cardiomegaly", "Pleural Effusion", "Pneumothorax", "Consolidation", "Support Devices",
    "Edema", "Atelectasis", "Lung Lesion", "Fracture",
)  # fmt: skip
SITES = ("A", "B")


@pytest.fixture(scope="module")
def archives():
    return {site: list(studies(2040, site=site)) for site in SITES}


@pytest.fixture(scope="module")
def archive(archives):
    return archives["A"]


def rate(archive, finding):
    return sum(a.study.labels[finding] == "present" for a in archive) / len(archive)


def test_nine_findings_by_name_and_in_order():
    assert FINDINGS == NAMES


def test_a_study_is_the_same_whatever_else_is_asked_for():
    whole = list(studies(75, seed=3))
    for start in (0, 17, 33, 34, 74):
        assert list(studies(1, seed=3, start=start)) == [whole[start]]


@pytest.fixture(scope="module")
def elsewhere():
    """Of a process whose sets have another order: pixels and texts, a digest of studies, is torch there."""
    code = (
        "import hashlib, json, sys\nfrom xemplar.sources.phantom import studies\n"
        "made = [[a.study.text, *(hashlib.sha256(i.data() if hasattr(i, 'data') else i.draw()).hexdigest()\n"
        "         for i in a.images)] for site in 'AB' for a in studies(4, seed=5, start=48, site=site)]\n"
        "told = ''.join(repr(a.study) for site in 'AB' for a in studies(200, site=site))\n"
        "print(json.dumps([made, hashlib.sha256(told.encode()).hexdigest(), 'torch' in sys.modules]))\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(done.stdout)


def test_another_process_gives_the_same_studies_and_pixels(elsewhere):
    for offset in (3, 1, 0):
        for place, site in enumerate(SITES):
            (one,) = studies(1, seed=5, start=48 + offset, site=site)
            pixels = [hashlib.sha256(raw(image)).hexdigest() for image in one.images]
            assert [one.study.text, *pixels] == elsewhere[0][4 * place + offset]


def raw(image):
    return image.data() if isinstance(image, Written) else image.draw().tobytes()


def test_seeds_differ():
    assert [a.study.text for a in studies(20, seed=1)] != [a.study.text for a in studies(20, seed=2)]


def test_sites_share_no_patient(archives):
    bodies = [{sampled(n, site).body.seed for n in range(300)} for site in SITES]
    assert not bodies[0] & bodies[1]
    assert not {a.study.patient_id for a in archives["A"]} & {a.study.patient_id for a in archives["B"]}


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("finding", NAMES)
def test_each_finding_is_in_one_study_of_twenty_to_one_of_four(archives, site, finding):
    assert (0.08 if site == "A" else 0.04) <= rate(archives[site], finding) <= 0.25


@pytest.mark.parametrize("site", SITES)
def test_a_third_have_no_finding(archives, site):
    none = sum("present" not in a.study.labels.values() for a in archives[site]) / len(archives[site])
    assert 0.28 < none < 0.4


@pytest.mark.parametrize("finding", ["Pleural Effusion", "Pneumothorax", "Consolidation", "Lung Lesion"])
def test_the_sites_differ_in_prevalence(archives, finding):
    a, b = (rate(archives[site], finding) for site in SITES)
    assert abs(a - b) > 0.015


@pytest.mark.parametrize(
    ("finding", "company"),
    [
        ("Cardiomegaly", "Edema"),
        ("Pleural Effusion", "Edema"),
        ("Atelectasis", "Pleural Effusion"),
        ("Fracture", "Pneumothorax"),
    ],
)
def test_findings_keep_company(archive, finding, company):
    beside = [a for a in archive if a.study.labels[company] == "present"]
    alone = [a for a in archive if a.study.labels[company] == "absent"]
    assert rate(beside, finding) > rate(alone, finding) + 0.06


def test_drains_stand_where_something_was_drained():
    drained = [n for n in range(1500) if drains(sampled(n).pathology)]
    now_or_before = 0
    for n in drained:
        exam = sampled(n)
        sides = {d.side for d in drains(exam.pathology)}
        states = [exam.pathology, *([exam.prior] if exam.prior else [])]
        places = {e.side for s in states for e in s.effusions} | {
            s.pneumothorax.side for s in states if s.pneumothorax
        }
        now_or_before += sides <= places
    assert len(drained) > 15
    assert now_or_before > 0.8 * len(drained)


def drains(pathology):
    return [d for d in pathology.devices if d.kind == "chest tube"]


def test_tubes_belong_to_in_patients():
    exams = [sampled(n) for n in range(600)]
    tubed = [e for e in exams if any(d.kind == "endotracheal tube" for d in e.pathology.devices)]
    assert tubed
    assert all(e.inpatient for e in tubed)


def test_every_degree_side_and_device_occurs(archive):
    words = Counter(
        word
        for a in archive
        for name, value in a.study.facets.items()
        if name not in ("age", "sex", "reader", "projection", "site")
        for word in value.replace(";", "").split()
    )
    wanted = "mild moderate severe small large faint patchy dense marked left right upper mid lower"
    wanted += " pacemaker endotracheal nasogastric jugular picc chest linear lobar nodule mass healed recent"
    assert set(wanted.split()) <= set(words)


def test_labels_cover_all_nine(archive):
    assert all(tuple(a.study.labels) == NAMES for a in archive)
    assert {p for a in archive for p in a.study.labels.values()} == {"present", "absent"}


@pytest.mark.parametrize(
    ("finding", "facet"),
    [
        ("Pleural Effusion", "effusion_"),
        ("Support Devices", "devices"),
        ("Edema", "edema"),
        ("Atelectasis", "atelectasis"),
        ("Lung Lesion", "lesion"),
        ("Fracture", "fracture"),
    ],
)
def test_a_facet_of_place_or_degree_goes_with_the_label(archive, finding, facet):
    for a in archive:
        told = any(name.startswith(facet) for name in a.study.facets)
        assert told == (a.study.labels[finding] == "present")


def test_four_readers_read_at_both_sites(archives):
    for site in SITES:
        shares = Counter(a.study.facets["reader"] for a in archives[site])
        assert set(shares) == {"1", "2", "3", "4"}
        assert {a.study.facets["site"] for a in archives[site]} == {site}


def test_a_third_of_patients_come_again(archive):
    visits = Counter(a.study.patient_id for a in archive)
    assert set(visits.values()) == {1, 2, 3, 4, 5}
    assert sum(n > 1 for n in visits.values()) / len(visits) == pytest.approx(0.35, abs=0.001)


def test_priors_chain_within_a_patient_in_time(archive):
    known, seen = {}, set()
    chained = 0
    for a in archive:
        study = a.study
        if study.prior_id is not None:
            prior = known[study.prior_id]
            assert prior.patient_id == study.patient_id
            assert prior.acquired_at < study.acquired_at
            chained += 1
        else:
            assert study.patient_id not in seen
        seen.add(study.patient_id)
        known[study.study_id] = study
    assert chained > 700


def test_a_later_study_knows_the_truth_before_it():
    for n in range(300):
        exam = sampled(n)
        if exam.ordinal:
            before = sampled(n - 1)
            assert (exam.prior, exam.prior_at) == (before.pathology, before.acquired_at)
            assert exam.body == before.body
        else:
            assert exam.prior is exam.prior_at is None


def test_a_broken_rib_stays_broken_and_heals():
    healed = 0
    for n in range(3000):
        exam = sampled(n)
        if not exam.prior or not exam.prior.fractures:
            continue
        pairs = list(zip(exam.prior.fractures, exam.pathology.fractures, strict=True))
        assert all((a.side, a.level) == (b.side, b.level) for a, b in pairs)
        assert all(b.healed for a, b in pairs if a.healed)
        healed += sum(b.healed and not a.healed for a, b in pairs)
    assert healed > 5


def test_findings_persist_more_often_than_they_come(archive):
    for finding in ("Pleural Effusion", "Support Devices", "Lung Lesion"):
        later = [(sampled(n).prior, a.study.labels) for n, a in enumerate(archive) if a.study.prior_id]
        had = [labels[finding] == "present" for prior, labels in later if prior.labels[finding] == "present"]
        assert np.mean(had) > 2 * rate(archive, finding)


def test_a_patient_keeps_sex_and_marks(archive):
    fixed: dict[str, tuple[str | None, ...]] = {}
    for a in archive:
        marks = tuple(a.study.facets.get(k) for k in ("sex", "age", "granuloma", "scoliosis", "raised"))
        assert fixed.setdefault(a.study.patient_id, marks) == marks


@pytest.mark.parametrize("site", SITES)
def test_arrivals_keep_their_promises(archives, site):
    for a in archives[site][:300]:
        study = a.study
        assert (study.domain, study.source, study.licence) == ("synthetic", "phantom", "CC0-1.0")
        assert a.split_key == study.patient_id
        assert re.fullmatch(rf"{VERSION}-{site.lower()}-s0-\d{{6}}", study.study_id)
        assert [v.position for v in study.views] in (["frontal"], ["frontal", "lateral"])
        assert len({isinstance(i, Written) for i in a.images}) == 1
        assert all(isinstance(i, Written) != isinstance(i, Drawable) for i in a.images)
        ending = ".dcm" if isinstance(a.images[0], Written) else ".png"
        for view in study.views:
            assert view.path == f"phantom/{VERSION}/{site.lower()}/0/{study.study_id}/{view.view_id}{ending}"


def test_view_and_study_ids_are_unique(archive):
    views = [v.view_id for a in archive for v in a.study.views]
    assert len(set(views)) == len(views)
    assert len({a.study.study_id for a in archive}) == len(archive)
    assert 1.5 < len(views) / len(archive) < 1.7


def test_sampling_without_drawing_is_cheap():
    began = time.process_time()
    list(studies(200, seed=9))
    assert time.process_time() - began < 1.0


def test_torch_stays_out(elsewhere):
    assert elsewhere[2] is False


@pytest.mark.parametrize("wrong", [{"count": -1}, {"count": 1, "seed": -1}, {"count": 1, "start": -2}])
def test_negative_numbers_are_refused(wrong):
    with pytest.raises(XemplarError, match="wanted numbers of 0 or more"):
        list(studies(**wrong))


def test_a_third_site_is_refused():
    with pytest.raises(XemplarError, match="site 'C'; wanted A or B"):
        list(studies(1, site="C"))


def test_no_hash_order_reaches_a_study(elsewhere, archives):
    """Many studies, none of them owed to the order of a set, which differs from process to process."""
    here = "".join(repr(a.study) for site in SITES for a in archives[site][:200])
    assert elsewhere[1] == hashlib.sha256(here.encode()).hexdigest()
