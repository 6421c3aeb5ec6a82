"""Captions made of a table's columns: MedCLIP's own, and what is left out where nothing is known."""

import json

import pytest
from tables import only, read, write

from xemplar.errors import XemplarError
from xemplar.sources.table import TableSettings, describe
from xemplar.sources.table.caption import read_template

MEDCLIP = (
    "a {Plane} plane {Core_Modality} scan of {Location} {Category} on a {Patient_Age} year old "
    "{Patient_Gender} depicting {Case_Diagnosis}"
)
CAREFUL = MEDCLIP.replace(
    " on a {Patient_Age} year old {Patient_Gender}", "[ on a {Patient_Age} year old][ {Patient_Gender}]"
)


def captioned(template, **more):
    return TableSettings(caption=template, patients_unknown=True, **more)


@pytest.mark.shared
def test_medclips_captions(golden, tmp_path):
    cases = json.loads((golden / "medclip_soft_targets" / "caption_template.json").read_text())
    path = write(tmp_path, "".join(json.dumps(case["row"]) + "\n" for case in cases), "medpix.jsonl")
    whole, lacking = (case["caption"] for case in cases)
    arrivals, rejected = read(path, captioned(CAREFUL))
    assert rejected == []
    assert arrivals[0].study.impression == whole
    assert (
        lacking == "a Axial plane CT scan of Chest Infection, NOS on a nan year old None depicting Pneumonia"
    )
    assert arrivals[1].study.impression == "a Axial plane CT scan of Chest Infection, NOS depicting Pneumonia"
    # Their own template, without brackets: the same whole rows, and no row of which something is missing.
    arrivals, rejected = read(path, captioned(MEDCLIP))
    assert [one.study.impression for one in arrivals] == [whole]
    assert [one.reason for one in rejected] == ["nothing in Patient_Age, which its caption needs"]


@pytest.mark.parametrize(
    ("template", "values", "wanted"),
    [
        ("{a} and {b}", {"a": "x", "b": "y"}, "x and y"),
        ("{a}[ and {b}]", {"a": "x", "b": ""}, "x"),
        ("{a}[ and {b}]", {"a": "x", "b": "NaN"}, "x"),
        ("{a}[ {b} of {c}]", {"a": "x", "b": "y", "c": " "}, "x"),
        ("[{a} ]scan[ of {b}] here", {"a": "", "b": ""}, "scan here"),
        ("[{a}]", {"a": ""}, ""),
        ("{a}", {"a": "", "b": "y"}, ""),
        ("[[{a}]] {{b}}", {"a": "x"}, "[x] {b}"),
        ("{a [mm]} and {a}", {"a [mm]": "3", "a": "{b}"}, "3 and {b}"),
    ],
)
def test_what_a_row_reads(template, values, wanted):
    assert read_template(template).text(values) == wanted


@pytest.mark.parametrize(
    "template", ["a {b", "a b}", "{a}[ of {b}", "{a} of {b}]", "[{a}[ {b}]]", "{a}{}", "{{a}"]
)
def test_unbalanced(template):
    with pytest.raises(XemplarError, match=r"^--caption: '[\[\]{}]' without its other half; wanted "):
        read_template(template)


@pytest.mark.parametrize("template", ["", "a scan", "{{a}}"])
def test_no_column(template):
    with pytest.raises(
        XemplarError, match=r"^--caption: no column in the caption; wanted a column in braces"
    ):
        read_template(template)


def test_a_part_that_nothing_decides():
    with pytest.raises(XemplarError, match="a part in brackets without a column"):
        read_template("{a} [scan]")


def test_unknown_column(tmp_path):
    with pytest.raises(XemplarError, match=r"table\.csv: no column 'Plan'; wanted one of id, Plane"):
        read(write(tmp_path, "id,Plane\n1,axial\n"), captioned("{Plan}"))


@pytest.mark.parametrize(
    ("header", "columns", "said"),
    [
        ("caption", {}, r"text=caption\).*--column text="),
        ("findings", {}, r"findings=findings\)"),
        ("said", {"impression": "said"}, r"impression=said\)"),
    ],
)
def test_beside_a_column_of_texts(tmp_path, header, columns, said):
    path = write(tmp_path, f"id,Plane,{header}\n1,axial,x\n")
    with pytest.raises(
        XemplarError, match=rf"table\.csv: a caption to be made, and a column of texts \({said}"
    ):
        read(path, captioned("{Plane}", columns=columns))


def test_a_column_of_texts_can_be_put_aside(tmp_path):
    path = write(tmp_path, "id,Plane,caption\n1,axial,x\n")
    study = only(path, captioned("a {Plane} {caption}", columns={"text": ""})).study
    assert (study.impression, study.domain) == ("a axial x", "figures")


def test_what_it_is_made_of_is_used(tmp_path):
    read_as = describe(write(tmp_path, "id,Plane,Sex\n1,axial,\n"), captioned("{Plane}"))
    assert read_as["unused"] == ["Sex"]
    assert read_as["texts"] == "captions"
    assert not any("texts found" in note for note in read_as["notes"])
