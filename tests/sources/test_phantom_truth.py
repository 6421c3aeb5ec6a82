"""Sampling: the same for ever, at the stated rates, with patients and priors that hang together."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter

import pytest

from xemplar.contracts import Drawable
from xemplar.errors import XemplarError
from xemplar.sources.phantom import FINDINGS, VERSION, studies

NAMES = ("Cardiomegaly", "Pleural Effusion", "Pneumothorax", "Consolidation", "Support Devices")


@pytest.fixture(scope="module")
def archive():
    return list(studies(2025))


def rate(archive, finding):
    return sum(a.study.labels[finding] == "present" for a in archive) / len(archive)


def test_five_findings_by_name():
    assert FINDINGS == NAMES


def test_a_study_is_the_same_whatever_else_is_asked_for():
    whole = list(studies(60, seed=3))
    for start in (0, 17, 26, 27, 59):
        assert list(studies(1, seed=3, start=start)) == [whole[start]]


def test_another_process_gives_the_same_studies_and_pixels():
    code = (
        "import hashlib, json\nfrom xemplar.sources.phantom import studies\n"
        "made = [[a.study.text, *(hashlib.sha256(i.draw()).hexdigest() for i in a.images)]\n"
        "        for a in studies(3, seed=5, start=40)]\n"
        "print(json.dumps(made))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = [
        [a.study.text, *(hashlib.sha256(i.draw()).hexdigest() for i in a.images)]
        for a in reversed([next(studies(1, seed=5, start=n)) for n in (42, 41, 40)])
    ]
    assert json.loads(done.stdout) == here


def test_seeds_differ():
    assert [a.study.text for a in studies(20, seed=1)] != [a.study.text for a in studies(20, seed=2)]


@pytest.mark.parametrize(
    ("finding", "low", "high"),
    [
        ("Cardiomegaly", 0.15, 0.21),
        ("Pleural Effusion", 0.15, 0.21),
        ("Pneumothorax", 0.05, 0.09),
        ("Consolidation", 0.13, 0.19),
        ("Support Devices", 0.19, 0.25),
    ],
)
def test_prevalence(archive, finding, low, high):
    assert low < rate(archive, finding) < high


def test_nearly_half_have_no_finding(archive):
    none = sum("present" not in a.study.labels.values() for a in archive) / len(archive)
    assert 0.41 < none < 0.49


def test_every_degree_side_and_device_occurs(archive):
    words = Counter(
        word
        for a in archive
        for name, value in a.study.facets.items()
        if name.startswith(("cardiomegaly", "effusion", "pneumothorax", "consolidation", "devices"))
        for word in value.replace(";", "").split()
    )
    wanted = "mild moderate severe small large faint patchy dense left right upper mid lower"
    wanted += " pacemaker endotracheal nasogastric jugular picc chest"
    assert set(wanted.split()) <= set(words)


def test_labels_cover_all_five(archive):
    assert all(set(a.study.labels) == set(NAMES) for a in archive)
    assert {p for a in archive for p in a.study.labels.values()} == {"present", "absent"}


def test_a_facet_of_degree_goes_with_the_label(archive):
    for a in archive:
        effusion = any(name.startswith("effusion_") for name in a.study.facets)
        assert effusion == (a.study.labels["Pleural Effusion"] == "present")
        assert ("devices" in a.study.facets) == (a.study.labels["Support Devices"] == "present")


def test_a_quarter_of_patients_come_again(archive):
    visits = Counter(a.study.patient_id for a in archive)
    assert set(visits.values()) == {1, 2, 3}
    assert sum(n > 1 for n in visits.values()) / len(visits) == pytest.approx(0.25, abs=0.01)


def test_priors_chain_within_a_patient_in_time(archive):
    known, seen = {}, set()
    chained = 0
    for a in archive:
        study = a.study
        if study.prior_id is not None:
            prior = known[study.prior_id]
            assert prior.patient_id == study.patient_id
            assert prior.acquired_at < study.acquired_at
            assert study.comparison is not None
            assert str(prior.acquired_at.year) in study.comparison
            chained += 1
        else:
            assert study.comparison is None
            assert study.patient_id not in seen
        seen.add(study.patient_id)
        known[study.study_id] = study
    assert chained > 300


def test_a_patient_keeps_sex_and_marks(archive):
    fixed: dict[str, tuple[str | None, ...]] = {}
    for a in archive:
        marks = tuple(a.study.facets.get(k) for k in ("sex", "age", "granuloma", "scoliosis", "raised"))
        assert fixed.setdefault(a.study.patient_id, marks) == marks


def test_arrivals_keep_their_promises(archive):
    for a in archive[:300]:
        study = a.study
        assert (study.domain, study.source, study.licence) == ("synthetic", "phantom", "CC0-1.0")
        assert a.split_key == study.patient_id
        assert [v.position for v in study.views] in (["frontal"], ["frontal", "lateral"])
        assert [i.shot.position for i in a.images] == [v.position for v in study.views]
        assert all(isinstance(i, Drawable) for i in a.images)
        for view in study.views:
            assert view.path == f"phantom/{VERSION}/0/{study.study_id}/{view.view_id}.png"


def test_view_and_study_ids_are_unique(archive):
    views = [v.view_id for a in archive for v in a.study.views]
    assert len(set(views)) == len(views)
    assert len({a.study.study_id for a in archive}) == len(archive)
    assert 1.5 < len(views) / len(archive) < 1.7


def test_sampling_without_drawing_is_cheap():
    began = time.process_time()
    list(studies(200, seed=9))
    assert time.process_time() - began < 1.0


def test_torch_stays_out():
    code = "import sys, xemplar.sources.phantom; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("wrong", [{"count": -1}, {"count": 1, "seed": -1}, {"count": 1, "start": -2}])
def test_negative_numbers_are_refused(wrong):
    with pytest.raises(XemplarError, match="wanted numbers of 0 or more"):
        list(studies(**wrong))


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_no_hash_order_reaches_a_report(hash_seed):
    """Many reports, none of them owed to the order of a set, which differs from process to process."""
    code = (
        "import hashlib\nfrom xemplar.sources.phantom import studies\n"
        "print(hashlib.sha256(''.join(a.study.text for a in studies(800)).encode()).hexdigest())\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert (
        done.stdout.strip()
        == hashlib.sha256("".join(a.study.text for a in studies(800)).encode()).hexdigest()
    )
