"""The Indiana collection: its two layouts, what its headings state, and files not to be trusted."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from drawn_files import write_dicom, write_picture, write_rows
from layouts import citation, kaggle, nlm
from pydantic import ValidationError

from xemplar.contracts import Arrival
from xemplar.errors import XemplarError
from xemplar.records import Rejected
from xemplar.sources.openi import OpeniSettings, describe, studies
from xemplar.sources.openi.mesh import HOW, WITHIN_LUNG, mesh_facets, mesh_labels

TEXTS = OpeniSettings(texts_only=True)


def read(root: Path, settings: OpeniSettings = TEXTS) -> tuple[dict[str, Arrival], list[Rejected]]:
    found = list(studies(root, settings))
    taken = {one.study.study_id: one for one in found if isinstance(one, Arrival)}
    return taken, [one for one in found if isinstance(one, Rejected)]


def report(root: Path, text: str | bytes, name: str = "1.xml") -> Path:
    folder = root / "ecgen-radiology"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def reason(root: Path, text: str | bytes) -> str:
    """Why a report is refused that lies beside a good one."""
    report(root, citation(2), "2.xml")
    taken, rejected = read(report(root, text))
    assert list(taken) == ["CXR2"]
    (one,) = rejected
    assert one.where == "ecgen-radiology/1.xml"
    return one.reason


# --- NLM's layout -----


def test_every_part_of_a_report_arrives(tmp_path):
    labelled = citation(
        7,
        major=["Cardiomegaly/mild", "Pulmonary Artery/enlarged"],
        COMPARISON="None.",
        INDICATION="Cough.",
        FINDINGS="Big heart.",
        IMPRESSION="Cardiomegaly.",
    )
    (one,) = read(report(tmp_path, labelled))[0].values()
    study = one.study
    assert (study.study_id, study.patient_id, one.split_key) == ("CXR7", "CXR7", "CXR7")
    assert (study.indication, study.comparison) == ("Cough.", "None.")
    assert (study.findings, study.impression) == ("Big heart.", "Cardiomegaly.")
    assert study.labels == {"Cardiomegaly": "present"}
    assert study.facets == {"mesh": "Cardiomegaly/mild;Pulmonary Artery/enlarged", "problems": "lung"}
    assert (study.licence, study.split_unit, study.source) == ("CC BY-NC-ND 4.0", "patient", "openi")


def test_markup_and_entities_of_xml_itself_are_text(tmp_path):
    text = citation(1, FINDINGS="Size &lt; 5 mm &amp; <i>stable</i>.")
    assert read(report(tmp_path, text))[0]["CXR1"].study.findings == "Size < 5 mm & stable."


def test_a_section_twice_is_kept_whole(tmp_path):
    text = citation(1, FINDINGS="One.").replace(
        "</Abstract>", '<AbstractText Label="FINDINGS">Two.</AbstractText></Abstract>'
    )
    assert read(report(tmp_path, text))[0]["CXR1"].study.findings == "One.\nTwo."


def test_reports_may_lie_in_the_folder_itself(tmp_path):
    (tmp_path / "1.xml").write_text(citation(1))
    assert list(read(tmp_path)[0]) == ["CXR1"]


def test_studies_come_by_number(tmp_path):
    for number in (10, 9, 100):
        report(tmp_path, citation(number), f"{number}.xml")
    assert list(read(tmp_path)[0]) == ["CXR9", "CXR10", "CXR100"]


def test_images_elsewhere(tmp_path):
    report(tmp_path / "reports", citation(1, images=["CXR1_1_IM-0001-3001"]))
    write_picture(tmp_path / "films/deep/CXR1_1_IM-0001-3001.png", 1)
    taken, _ = read(tmp_path / "reports", OpeniSettings(images=tmp_path / "films"))
    (view,) = taken["CXR1"].study.views
    assert (view.path, view.position) == ("deep/CXR1_1_IM-0001-3001.png", None)


@pytest.mark.parametrize(
    ("named", "filed"),
    [
        ("CXR1_1_IM-0001-3001", "1_IM-0001-3001.dcm"),
        ("CXR1000_IM-0003-2001", "1000_IM-0003-2001.dcm.png"),
        ("CXR1000_IM-0003-2001", "CXR1000_IM-0003-2001.jpg"),
    ],
)
def test_an_image_is_found_under_each_of_its_names(tmp_path, named, filed):
    report(tmp_path, citation(1, images=[named]))
    path = tmp_path / "films" / filed
    write_dicom(path, 1) if path.suffix == ".dcm" else write_picture(path, 1)
    assert read(tmp_path, OpeniSettings())[0]["CXR1"].images == (path,)


def test_a_second_file_of_an_image_is_told(tmp_path):
    layout = nlm(tmp_path / "source")
    write_picture(layout.root / "z/CXR2_IM-0652-1001.png", 5)
    told = {one.reason: one.where for one in layout.read() if isinstance(one, Rejected)}
    assert told["a second file of an image's name"] == "z/CXR2_IM-0652-1001.png"


# --- XML that is not to be trusted -----


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE eCitation [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12))
    + "]><eCitation>&m;</eCitation>"
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><eCitation>&f;</eCitation>',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd">%p;]><eCitation/>',
        '<!DOCTYPE x SYSTEM "x.dtd"><eCitation><uId id="CXR1"/>&unknown;</eCitation>',
    ],
    ids=["bomb", "file", "parameter", "unknown"],
)
def test_entities_are_refused(tmp_path, text):
    assert reason(tmp_path, text) == "XML with entities of its own, which is never expanded here"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"not well-formed \(line 1\)"),
        ("<eCitation>\n<uId", r"not well-formed \(line 2\)"),
        ("<eCitation>&nbsp;</eCitation>", "not well-formed"),
        (b"\x80\x81<eCitation/>", "not well-formed"),
        (
            '<?xml version="1.0" encoding="x-none"?><eCitation/>',
            "not well-formed|encoding that can't be read",
        ),
        ("<html/>", "not a report"),
        ("<eCitation/>", "without its number"),
        ('<eCitation><uId id="../1"/></eCitation>', "without its number"),
        ("<eCitation>" + " " * (4 << 20), "more than 4194304 bytes"),
        (b"<eCitation>" + b"<a>" * 300_000, "not well-formed"),
    ],
)
def test_damage_is_told_and_not_quoted(tmp_path, text, said):
    found = reason(tmp_path, text)
    assert re.search(said, found), found


def test_deep_nesting_is_read(tmp_path):
    deep = "<a>" * 100_000 + "</a>" * 100_000
    assert list(read(report(tmp_path, citation(1).replace("<MeSH>", f"{deep}<MeSH>")))[0]) == ["CXR1"]


# --- Kaggle's layout -----


def test_projections_place_the_views(tmp_path):
    taken, _ = read(kaggle(tmp_path / "source").root, OpeniSettings())
    assert [(view.view_id, view.position) for view in taken["CXR1"].study.views] == [
        ("CXR1/1_IM-0001-3001", "lateral"),
        ("CXR1/1_IM-0001-4001", "frontal"),
    ]


def test_both_layouts_name_a_study_alike(tmp_path):
    one, _ = read(nlm(tmp_path / "nlm").root)
    other, _ = read(kaggle(tmp_path / "kaggle").root)
    assert {"CXR1", "CXR2", "CXR10"} <= set(one) & set(other)


def test_a_row_of_kaggle_is_a_report(tmp_path):
    study = read(kaggle(tmp_path / "source").root)[0]["CXR2"].study
    assert (study.findings, study.impression) == ("Clear.", "Impression 2.")
    assert study.labels == {"Cardiomegaly": "present", "Pleural Effusion": "present"}
    assert study.facets["procedure"] == "PA and lateral"


@pytest.mark.parametrize("number", ["²", "x", "", "1.0"])
def test_a_number_that_is_none_is_told(tmp_path, number):
    row = (number, "normal", "", "", "", "Clear.", "")
    write_rows(
        tmp_path / "reports.csv",
        "uid,MeSH,image,indication,comparison,findings,impression",
        [row, ("007", *row[1:])],
    )
    taken, rejected = read(tmp_path)
    assert list(taken) == ["CXR7"]
    assert [one.reason for one in rejected] == ["a report without its number (uid)"]


def test_the_older_names_of_the_tables(tmp_path):
    root = kaggle(tmp_path / "source").root
    for name in ("reports", "projections"):
        (root / f"indiana_{name}.csv").rename(root / f"{name}.csv")
    assert describe(root, TEXTS)["layout"] == "kaggle"
    assert len(read(root, OpeniSettings())[0]) == 4


# --- headings -----


@pytest.mark.parametrize(
    ("terms", "labels"),
    [
        (["normal"], {}),
        (["No Indexing"], {}),
        (["Cardiomegaly"], {"Cardiomegaly": "present"}),
        (["Cardiomegaly/borderline"], {"Cardiomegaly": "uncertain"}),
        (["Cardiomegaly/borderline", "Cardiac Shadow/enlarged"], {"Cardiomegaly": "present"}),
        (["Cardiac Shadow/enlarged", "Cardiomegaly/borderline"], {"Cardiomegaly": "present"}),
        (["Cardiac Shadow/enlarged/severe"], {"Cardiomegaly": "present"}),
        (["Cardiac Shadow"], {}),
        (["Hydropneumothorax/left"], {"Pleural Effusion": "present", "Pneumothorax": "present"}),
        (["Thickening/pleura/apex"], {"Pleural Other": "present"}),
        (["Thickening/bronchi"], {}),
        (["Pericardial Effusion", "Lung/hyperdistention", "Calcified Granuloma"], {}),
        (["Catheters, Indwelling/right"], {"Support Devices": "present"}),
        *(
            ([f"Opacity/{place}"], {})
            for place in ("ribs/left", "thoracic vertebrae", "heart", "mediastinum")
        ),
        *(([term], {}) for term in ("Mass/breast/large", "Nodule/heart/left", "Nodule/pleura/upper lobe")),
        *(([f"Opacity{q}"], {"Lung Opacity": "present"}) for q in ("", "/lung/base", "/retrocardiac/mild")),
        *(([f"Nodule/{q}"], {"Lung Lesion": "present"}) for q in ("thorax", "scattered/multiple", "lingula")),
        (["Opacity/knee"], {}),
        *(([f"Surgical Instruments/{q}"], {}) for q in ("abdomen/right", "breast", "neck")),
        *(
            ([term], {})
            for term in ("Stents/abdomen", "Medical Device/breast", "Implanted Medical Device/spine")
        ),
        (["Implanted Medical Device/Thoracic Vertebrae"], {}),
        *(([f"Stents/{q}"], {"Support Devices": "present"}) for q in ("coronary vessels/left", "aorta")),
        (["Sutures/sternum"], {"Support Devices": "present"}),
        (["Tube, Inserted/abdomen"], {"Support Devices": "present"}),
    ],
)
def test_a_heading_states_a_finding_or_nothing(terms, labels):
    assert mesh_labels(terms) == labels


@pytest.mark.shared
def test_every_qualifier_that_the_coders_used_of_an_opacity_is_known(shared_data):
    taken, _ = read(shared_data / "iu_reports")
    terms = {term for one in taken.values() for term in one.study.facets.get("mesh", "").split(";")}
    of_lung = {term for term in terms if term.split("/")[0] in ("Opacity", "Nodule", "Mass")}
    unplaced = {
        word for term in of_lung if not mesh_labels([term]) for word in term.casefold().split("/")[1:]
    }
    assert unplaced - WITHIN_LUNG - HOW == {
        "breast", "costophrenic angle", "heart", "mediastinum", "paratracheal", "pleura", "pleural sinus",
        "ribs", "sulcus", "supracardiac", "thoracic vertebrae",
    }  # fmt: skip


def test_normal_is_a_facet_and_denies_nothing():
    assert mesh_facets(["normal"]) == {"mesh": "normal", "normal": "yes"}
    assert mesh_facets(["normal", "Opacity"]) == {"mesh": "normal;Opacity"}


def test_labels_may_be_left_alone(tmp_path):
    root = report(tmp_path, citation(1, major=["Cardiomegaly"]))
    study = read(root, OpeniSettings(texts_only=True, labels="none"))[0]["CXR1"].study
    assert (study.labels, study.facets["mesh"]) == ({}, "Cardiomegaly")


# --- mistakes -----


def test_a_folder_of_another_layout(tmp_path):
    with pytest.raises(XemplarError, match="neither XML reports nor a table of reports; wanted NLM's"):
        read(tmp_path)


def test_no_such_folder(tmp_path):
    with pytest.raises(XemplarError, match="no such folder"):
        read(tmp_path / "none")


def test_both_layouts_at_once(tmp_path):
    root = kaggle(tmp_path / "source").root
    report(root, citation(1))
    with pytest.raises(XemplarError, match=r"both layouts at once.*name the folder of one"):
        read(root)


def test_no_images(tmp_path):
    with pytest.raises(XemplarError, match=r"no image .*--images.*--texts-only"):
        read(report(tmp_path, citation(1)), OpeniSettings())


def test_no_projections(tmp_path):
    root = kaggle(tmp_path / "source").root
    (root / "indiana_projections.csv").unlink()
    with pytest.raises(
        XemplarError, match=r"no table of the images; wanted indiana_projections.csv.*--texts-only"
    ):
        read(root, OpeniSettings())


def test_a_table_that_lacks_a_column(tmp_path):
    write_rows(tmp_path / "reports.csv", "uid,findings,impression", [(1, "a", "b")])
    with pytest.raises(XemplarError, match=r"reports.csv: no column 'MeSH'; wanted the columns uid, MeSH"):
        read(tmp_path)


def test_no_report_that_can_be_read(tmp_path):
    with pytest.raises(XemplarError, match="no report that can be read"):
        read(report(tmp_path, "<none"))


def test_unknown_settings_are_refused():
    with pytest.raises(ValidationError):
        OpeniSettings(label="mesh")


# --- the real thing -----


@pytest.mark.shared
def test_the_real_reports(shared_data):
    taken, rejected = read(shared_data / "iu_reports")
    assert (len(taken), Counter(one.reason for one in rejected)) == (
        3444,
        Counter({"neither an image nor a text": 25}),
    )
    assert all(one.study.views == () for one in taken.values())


@pytest.mark.shared
@pytest.mark.parametrize(
    ("finding", "column"),
    [
        ("Cardiomegaly", "Cardiomegaly"),
        ("Pleural Effusion", "Effusion"),
        ("Atelectasis", "Atelectasis"),
        ("Pneumothorax", "Pneumothorax"),
        ("Consolidation", "Consolidation"),
        ("Pneumonia", "Pneumonia"),
        ("Edema", "Edema"),
        ("Lung Lesion", "Mass Nodule"),
    ],
)
def test_headings_agree_with_the_published_labels(shared_data, finding, column):
    with (shared_data / "iu_reports/labels_gold14.csv").open(newline="") as stream:
        gold = {
            f"CXR{row['uid']}" for row in csv.DictReader(stream) if "1" in [row[c] for c in column.split()]
        }
    taken, _ = read(shared_data / "iu_reports")
    ours = {name for name, one in taken.items() if finding in one.study.labels}
    # There hydropneumothorax was no pneumothorax; here it is one, and an effusion.
    both = {name for name, one in taken.items() if "pneumothorax" in one.study.facets.get("mesh", "")}
    gold, ours = gold & set(taken) - both, ours - both
    assert len(gold & ours) >= 0.9 * len(gold | ours)
