"""Wording: what is plainly stated is true, sides and degrees are those drawn, both readers occur."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest

from xemplar.contracts import Arrival
from xemplar.errors import XemplarError
from xemplar.sources.phantom import stated, studies

# Written by hand, apart from the phrase books: how each finding is plainly affirmed or denied.
DENIED = {
    "Cardiomegaly": r"heart size (is )?normal|not enlarged|normal in size",
    "Pleural Effusion": r"\bno (pleural )?effusion|effusion (has )?resolved",
    "Pneumothorax": r"\bno (pleural effusion or )?pneumothorax|pneumothorax (has )?resolved",
    "Consolidation": r"lungs (are )?clear|no (focal )?consolidation|consolidation (has )?resolved",
    "Support Devices": r"no lines or tubes|no support devices",
}
NAMED = {
    "Cardiomegaly": r"cardiomegaly|enlarge",
    "Pleural Effusion": r"effusion",
    "Pneumothorax": r"pneumothorax",
    "Consolidation": r"consolidation|airspace|opacity",
    "Support Devices": r"pacemaker|\btube\b|catheter|(central|ij) line|picc|drain|devices|lines",
}
HEDGE = re.compile(r"possib|may |questionable|not excluded")


@pytest.fixture(scope="module")
def archive():
    return list(studies(1350))


@pytest.fixture(scope="module")
def told(archive):
    """What each report states, in the archive's order."""
    return [stated(a) for a in archive]


def sentences(text):
    return [s.lower() for s in re.split(r"(?<=\.)\s+", text) if s]


def read(text):
    """Plain statements of a report by the patterns above: {finding: set of presences}."""
    found: dict[str, set[str]] = {}
    for sentence in sentences(text):
        for finding, pattern in NAMED.items():
            if re.search(DENIED[finding], sentence):
                found.setdefault(finding, set()).add("absent")
            elif re.search(pattern, sentence) and not re.search(r"\bno\b|\bas\b", sentence):
                found.setdefault(finding, set()).add("uncertain" if HEDGE.search(sentence) else "present")
    return found


def test_plain_statements_agree_with_what_was_drawn(archive):
    for a in archive:
        for finding, said in read(a.study.text).items():
            assert said - {"uncertain"} <= {a.study.labels[finding]}, a.study.text


def test_stated_is_what_the_text_says(archive, told):
    for a, says in zip(archive, told, strict=True):
        heard = read(a.study.text)
        assert set(heard) == set(says), a.study.text
        assert all(says[finding] in said for finding, said in heard.items()), a.study.text


def test_a_hedge_is_only_over_something_drawn(archive, told):
    pairs = list(zip(archive, told, strict=True))
    hedged = [(f, a) for a, says in pairs for f, p in says.items() if p == "uncertain"]
    assert len(hedged) > 40
    assert all(a.study.labels[f] == "present" for f, a in hedged)


@pytest.mark.parametrize("finding", ["Pleural Effusion", "Pneumothorax", "Consolidation", "Cardiomegaly"])
def test_few_present_findings_go_unmentioned(archive, told, finding):
    pairs = zip(archive, told, strict=True)
    present = [says for a, says in pairs if a.study.labels[finding] == "present"]
    silent = sum(finding not in says for says in present) / len(present)
    assert silent < 0.12


def test_some_negatives_go_unmentioned(archive, told):
    findings = [finding for finding in NAMED if finding != "Support Devices"]
    pairs = list(zip(archive, told, strict=True))
    absent = [f not in says for a, says in pairs for f in findings if a.study.labels[f] == "absent"]
    assert 0.03 < sum(absent) / len(absent) < 0.25


def test_sides_of_effusions_are_those_drawn(archive):
    for a in archive:
        drawn = {side for side in ("left", "right") if f"effusion_{side}" in a.study.facets}
        for sentence in sentences(a.study.text):
            if "effusion" in sentence and not re.search(r"\bno\b|resolved|prior|unchanged", sentence):
                said = {side for side in ("left", "right") if side in sentence}
                said |= {"left", "right"} if "bilateral" in sentence else set()
                assert said == drawn, sentence


def test_zones_of_consolidation_are_those_drawn(archive):
    for a in archive:
        drawn = {
            tuple(place.split()[:2]) for place in a.study.facets.get("consolidation", "").split("; ") if place
        }
        for sentence in sentences(a.study.findings):
            if re.search(r"consolidation|airspace|faint opacity", sentence) and "zone" in sentence:
                side, zone = re.search(r"(left|right) (upper|mid|lower)", sentence).groups()
                assert (side, zone) in drawn, sentence


def test_devices_are_named_with_their_side(archive):
    words = {"pacemaker": "pacemaker", "endotracheal tube": r"endotracheal|et tube", "picc": "picc"}
    words |= {"nasogastric tube": r"nasogastric|ng tube", "jugular line": r"jugular|ij line"}
    words |= {"chest tube": r"chest (tube|drain)"}
    for a in archive:
        for device in filter(None, a.study.facets.get("devices", "").split("; ")):
            side, _, kind = device.partition(" ")
            if side not in ("left", "right"):
                side, kind = "", device
            named = [s for s in sentences(a.study.findings) if re.search(words[kind], s)]
            assert any(side in s for s in named), (device, a.study.findings)


def test_both_readers_write_and_not_alike(archive):
    readers = Counter(a.study.facets["reader"] for a in archive)
    assert min(readers["1"], readers["2"]) > 0.3 * len(archive)
    texts = {
        r: {s for a in archive if a.study.facets["reader"] == r for s in sentences(a.study.findings)}
        for r in "12"
    }
    assert len(texts["1"] & texts["2"]) < 0.1 * min(len(texts["1"]), len(texts["2"]))


def test_reports_are_short(archive):
    lengths = [len(sentences(a.study.findings)) for a in archive]
    assert sum(4 <= n <= 8 for n in lengths) > 0.9 * len(lengths)
    assert all(1 <= len(sentences(a.study.impression)) <= 3 for a in archive)


def test_normal_sentences_repeat_verbatim(archive):
    seen = Counter(s for a in archive for s in sentences(a.study.findings))
    assert seen["no pleural effusion or pneumothorax."] > 100


def test_comparisons_are_made_only_with_a_prior(archive):
    change = re.compile(r"unchanged|since|than on prior|resolved")
    compared = [a for a in archive if change.search(a.study.text.lower())]
    assert len(compared) > 50
    assert all(a.study.prior_id for a in compared)


def test_stated_refuses_another_source(archive):
    other = archive[0].study
    with pytest.raises(XemplarError, match="a study of another source"):
        stated(Arrival(replace(other, study_id="abc-1", views=()), ()))
