"""Small made-up copies of how each source lays out its files, with the oddities that each has.

Every copy holds a film that can't be decoded, and names of a patient where its format has a place for
them. Nothing in them is anybody's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from drawn_files import PLANTED, without_pixels, write_dicom, write_picture, write_rows

from xemplar.contracts import Arrival
from xemplar.records import Domain, Rejected
from xemplar.sources import dicom, mimic_cxr, openi, phantom, table


@dataclass
class Layout:
    """A source on a made-up copy: how to read it, and what has to come of it."""

    root: Path
    read: Callable[[], Iterator[Arrival | Rejected]]
    studies: tuple[str, ...]
    rejected: Counter[str] = field(default_factory=Counter)
    domain: Domain = "clinical"
    unreadable: str = ""
    """The study whose only film can't be decoded."""

    def images(self) -> list[Path]:
        kinds = (".png", ".jpg", ".dcm")
        return sorted(path for path in self.root.rglob("*") if path.suffix in kinds)


def counted(table: str) -> Counter[str]:
    """Lines of a count and a reason."""
    lines = [line.strip().partition(" ") for line in table.strip().splitlines()]
    return Counter({reason: int(count) for count, _, reason in lines})


# --- Open-i -----


def citation(
    number: int, *, images: Iterable[str] = (), major: Iterable[str] = ("normal",), **texts: str
) -> str:
    """A report as NLM writes it."""
    texts = texts or {"FINDINGS": f"Finding {number}.", "IMPRESSION": f"Impression {number}."}
    sections = "".join(f'<AbstractText Label="{name}">{text}</AbstractText>' for name, text in texts.items())
    parents = "".join(
        f'<parentImage id="{image}"><figureId>F{n}</figureId><caption>Xray Chest PA and Lateral</caption>'
        f"<panel><url>/hadoop/{image}.jpg</url></panel></parentImage>"
        for n, image in enumerate(images, start=1)
    )
    terms = "".join(f"<major>{term}</major>" for term in major)
    return (
        f'<?xml version="1.0" encoding="utf-8"?><eCitation><meta type="rr"/><uId id="CXR{number}"/>'
        f'<pmcId id="{number}"/><docSource>CXR</docSource><IUXRId id="{number}"/>'
        "<ccLicense>byncnd</ccLicense><MedlineCitation><Article><Abstract>"
        f"{sections}</Abstract><AuthorList><Author><LastName>{PLANTED[0]}</LastName></Author></AuthorList>"
        f"</Article></MedlineCitation><MeSH>{terms}<automatic>lung</automatic></MeSH>{parents}</eCitation>"
    )


def nlm(root: Path) -> Layout:
    reports, films = root / "ecgen-radiology", root / "NLMCXR_png"
    reports.mkdir(parents=True)
    written = {
        "1.xml": citation(1, images=["CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001"]),
        "2.xml": citation(2, images=["CXR2_IM-0652-1001"], major=["Cardiomegaly/borderline", "Opacity/lung"]),
        "10.xml": citation(10),
        "11.xml": citation(11, images=["CXR11_IM-0067-1001"]),
        "12.xml": citation(12, images=["CXR12_IM-0101-1001"]),
        "13.xml": citation(13, INDICATION="Cough."),
        "14.xml": "<eCitation><uId",
        "15.xml": citation(1),
        "16.xml": citation(16, images=["CXR16_IM-0400-1001", "CXR16_IM-0400-2001"]),
    }
    for name, text in written.items():
        (reports / name).write_text(text, encoding="utf-8")
    for number, name in enumerate(
        [
            "CXR1_1_IM-0001-3001",
            "more/CXR1_1_IM-0001-4001",
            "CXR2_IM-0652-1001",
            "CXR16_IM-0400-1001",
            "CXR99_IM-1",
        ]
    ):
        write_picture(films / f"{name}.png", number)
    (films / "CXR11_IM-0067-1001.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    return Layout(
        root=root,
        read=lambda: openi.studies(root, openi.OpeniSettings()),
        studies=("CXR1", "CXR2", "CXR10", "CXR11", "CXR16"),
        rejected=counted("""
            2 image missing: no file of its name
            1 none of its images is there
            1 neither an image nor a text
            1 XML that is not well-formed (line 1)
            1 study twice: another report of its number
            1 an image that no report names
        """),
        unreadable="CXR11",
    )


def kaggle(root: Path) -> Layout:
    def row(number: int, mesh: str = "normal", findings: str = "Clear.") -> list[object]:
        return [number, mesh, mesh, "PA and lateral", "Cough.", "None.", findings, f"Impression {number}."]

    reports = [row(1), row(2, "Cardiomegaly;Pleural Effusion/left"), row(3), row(10), row(4)[:-1], row(1)]
    header = "uid,MeSH,Problems,image,indication,comparison,findings,impression"
    write_rows(root / "indiana_reports.csv", header, reports)
    projections = [
        (1, "1_IM-0001-4001.dcm.png", "Frontal"),
        (1, "1_IM-0001-3001.dcm.png", "Lateral"),
        (2, "2_IM-0652-1001.dcm.png", "Frontal"),
        (2, "2_IM-0652-2001.dcm.png", "Lateral"),
        (2, "2_IM-0652-2001.dcm.png", "Lateral"),
        (3, "3_IM-1384-1001.dcm.png", "Frontal"),
        (77, "77_IM-1-1001.dcm.png", "Frontal"),
    ]
    write_rows(root / "indiana_projections.csv", "uid,filename,projection", projections)
    films = root / "images" / "images_normalized"
    for number, name in enumerate(["1_IM-0001-4001", "1_IM-0001-3001", "2_IM-0652-1001", "8_IM-1-1"]):
        write_picture(films / f"{name}.dcm.png", number)
    (films / "3_IM-1384-1001.dcm.png").write_bytes(b"none")
    return Layout(
        root=root,
        read=lambda: openi.studies(root, openi.OpeniSettings()),
        studies=("CXR1", "CXR2", "CXR3", "CXR10"),
        rejected=counted("""
            1 7 cells where the header has 8
            1 study twice: another report of its number
            1 image missing: no file of its name
            1 an image named twice
            1 an image of a report that isn't there
            1 an image that no report names
        """),
        unreadable="CXR3",
    )


# --- MIMIC-CXR -----

METADATA = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,"
    "StudyDate,StudyTime"
)
LABELS = f"subject_id,study_id,{','.join(mimic_cxr.tables.FINDINGS)},No Finding"
FINAL = "                                 FINAL REPORT\n EXAMINATION:  CHEST (PA AND LAT)\n \n"


def label_row(subject: int, study: int, no_finding: str = "", **said: str) -> list[object]:
    values = {name.replace("_", " "): value for name, value in said.items()}
    return [subject, study, *(values.get(name, "") for name in mimic_cxr.tables.FINDINGS), no_finding]


def mimic(root: Path, ending: str) -> Layout:
    """Patient 10000032 has three studies, 10000980 one, 11000011 and 11000022 what can't be taken."""
    films = [
        ("aa-1", 10000032, 50000001, "PA", "21800506", "213014.531"),
        ("aa-2", 10000032, 50000001, "LATERAL", "21800506", "213014.531"),
        ("bb-1", 10000032, 50000009, "AP", "21800505", "83045.5"),
        ("cc-1", 10000032, 50000005, "", "21800623", "1.25"),
        ("dd-1", 10000980, 50000100, "AP", "21900101", "120000.0"),
        ("ee-1", 11000011, 50000200, "PA", "21900101", "120000.0"),
        ("ee-2", 11000011, 50000201, "PA", "21900102", "120000.0"),
        ("ff-1", 11000022, 50000300, "PA", "21900102", "120000.0"),
        ("gg-1", 11000033, 50000400, "PA", "21900102", "120000.0"),
        ("gg-1", 11000033, 50000400, "PA", "21900102", "120000.0"),
        ("../../up", 11000033, 50000400, "PA", "21900102", "120000.0"),
    ]
    rows = [[d, p, s, "CHEST (PA AND LAT)", view, 9, 9, day, time] for d, p, s, view, day, time in films]
    write_rows(root / "mimic-cxr-2.0.0-metadata.csv.gz", METADATA, rows)
    parts = {"ee-2": "test", "dd-1": "validate", "gg-1": "test"}
    split = [(d, s, p, parts.get(d, "train")) for d, p, s, *_ in films if d not in ("ff-1", "../../up")]
    write_rows(root / "mimic-cxr-2.0.0-split.csv.gz", "dicom_id,study_id,subject_id,split", split)
    chexpert = [
        label_row(10000032, 50000001, Edema="1.0", Pneumonia="-1.0", Pneumothorax="0.0"),
        label_row(10000032, 50000009, no_finding="1.0"),
        label_row(10000980, 50000100, Edema="7"),
    ]
    negbio = [label_row(10000032, 50000001, Edema="1.0", Pneumonia="0.0", Pneumothorax="0.0")]
    write_rows(root / "mimic-cxr-2.0.0-chexpert.csv", LABELS, chexpert)
    write_rows(root / "mimic-cxr-2.0.0-negbio.csv.gz", LABELS, negbio)
    for number, (name, patient, study, *_) in enumerate(films):
        path = root / f"files/p{str(patient)[:2]}/p{patient}/s{study}/{name}{ending}"
        if name in ("cc-1", "../../up") or path.exists():
            continue
        if ending == ".dcm":
            write_dicom(path, number, PatientID=str(patient))
        else:
            write_picture(path, number)
    bad = root / f"files/p10/p10000980/s50000100/dd-1{ending}"
    without_pixels(bad)
    write_reports(root)
    extra = root / f"files/p10/p10000032/s50000001/zz-9{ending}"
    extra.write_bytes(bad.read_bytes())
    (root / "files/p19/p19999999").mkdir(parents=True)
    return Layout(
        root=root,
        read=lambda: mimic_cxr.studies(root, mimic_cxr.MimicSettings()),
        studies=("s50000009", "s50000001", "s50000100", "s50000400"),
        rejected=counted("""
            1 image missing: no file of its name
            1 none of its images is there
            2 its patient is in two parts of the official split
            1 in no part of the official split
            1 report missing: its study has films alone
            1 a report that is not UTF-8
            1 an image twice in the metadata
            1 a dicom_id that is none
            1 a label that is none of 1, 0 and -1 (Edema)
            1 a file that the metadata doesn't name
            1 a file of no study that the metadata names
            1 a folder of a patient that the metadata doesn't name
        """),
        unreadable="s50000100",
    )


def write_reports(root: Path) -> None:
    patient = root / "files/p10/p10000032"
    (patient / "s50000001.txt").write_text(
        f"{FINAL} INDICATION:  ___\n \n FINDINGS:  Mild edema.\n \n IMPRESSION:  Edema.\n"
    )
    (patient / "s50000009.txt").write_text(
        " FINAL ADDENDUM\n ADDENDUM:  The line was moved.\n " + "_" * 60 + f"\n{FINAL} IMPRESSION:  Normal.\n"
    )
    (patient / "s50000005.txt").write_text(f"{FINAL} IMPRESSION:  Normal.\n")
    (patient / "s59999999.txt").write_text(f"{FINAL} IMPRESSION:  Normal.\n")
    (root / "files/p11/p11000033/s50000400.txt").write_bytes(b"IMPRESSION: \xff\xfe\n")


# --- a folder of DICOM -----


def dicom_folder(root: Path) -> Layout:
    """Two patients with three studies, and whatever else lies in an export."""
    first = {"StudyInstanceUID": "1.2.3.20", "PatientID": "A1", "AccessionNumber": "ACC1", "SeriesNumber": 1}
    write_dicom(root / "a/IM2", 1, **first, InstanceNumber=2, ViewPosition="LL")
    write_dicom(
        root / "b/c/IM1", 2, **first, InstanceNumber=1, ViewPosition="PA", PatientSex="F", PatientAge="093Y"
    )
    write_dicom(root / "b/copy.dcm", 2, **first, InstanceNumber=1, ViewPosition="PA")
    later = {"PatientID": "A1", "StudyDate": "20210101", "AccessionNumber": "ACC2"}
    write_dicom(root / "later.dcm", 3, **later, StudyInstanceUID="1.2.3.10")
    write_dicom(root / "other.dcm", 4, PatientID="B2", AccessionNumber="ACC3", StudyInstanceUID="1.2.3.30")
    without_pixels(root / "other.dcm")
    write_dicom(root / "ct.dcm", 5, Modality="CT")
    write_dicom(root / "odd.dcm", 6, Modality=PLANTED[0][:8].upper())
    write_dicom(root / "nobody.dcm", 7, PatientID="ANONYMOUS")
    write_dicom(root / "nostudy.dcm", 8, StudyInstanceUID=None)
    write_dicom(root / "two/1.dcm", 9, StudyInstanceUID="1.2.3.40", PatientID="C1")
    write_dicom(root / "two/2.dcm", 10, StudyInstanceUID="1.2.3.40", PatientID="C2")
    write_dicom(root / "DICOMDIR", 11, SOPClassUID="1.2.840.10008.1.3.10", PixelData=None)
    (root / "cut.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\x02\0\x10\0UI\xff\xff1.2")
    (root / "none.dcm").write_bytes(b"nothing of the kind")
    for name in ("readme.txt", "list.txt", "viewer.exe", "of.Zacharias"):
        (root / name).write_text("no film")
    reports = [
        ("ACC1", "FINDINGS: Clear.\nIMPRESSION: Normal."),
        ("ACC3", "IMPRESSION: Effusion."),
        ("ACC9", "IMPRESSION: Nobody's."),
        ("ACC3", "IMPRESSION: No effusion."),
        ("", "IMPRESSION: Whose?"),
    ]
    listed = write_rows(root.parent / "reports.csv", "accession,report", reports)
    settings = dicom.DicomSettings(reports=listed)
    return Layout(
        root=root,
        read=lambda: dicom.studies(root, settings),
        studies=("1.2.3.10", "1.2.3.20", "1.2.3.30"),
        rejected=counted("""
            1 the same film twice (SOPInstanceUID)
            1 modality CT, not asked for (--modality CT)
            1 no modality that DICOM knows
            1 no patient named (--patients-unknown takes it as its own)
            1 no StudyInstanceUID
            1 a study whose films name more than one patient
            1 a DICOM file that is cut short
            1 named as a DICOM file, and none
            1 2 files that are not DICOM (.txt)
            1 1 file that is not DICOM (.exe)
            1 1 file that is not DICOM (other)
            1 1 DICOMDIR passed over, which only lists other files
            2 films without a report: kept as films
            1 a report without films
            2 two reports of one study that differ: none is taken
            1 a report without its accession
        """),
        unreadable="1.2.3.30",
    )


# --- the two that were there before -----


def listed(root: Path) -> Layout:
    rows = [
        ("s1", "p1", "films/1.png", "Clear.", "Normal.", PLANTED[0]),
        ("s1", "p1", "films/2.png", "Clear.", "Normal.", PLANTED[0]),
        ("s2", "p2", "films/3.png", "Effusion.", "", PLANTED[0]),
        ("s3", "", "films/4.png", "", "", PLANTED[0]),
    ]
    write_rows(root / "films.csv", "study,patient,image,findings,impression,name", rows)
    write_picture(root / "films/1.png", 1)
    write_picture(root / "films/2.png", 2)
    (root / "films/3.png").write_bytes(b"none")
    settings = table.TableSettings(patient_column="patient")
    return Layout(
        root=root,
        read=lambda: table.studies(root / "films.csv", settings),
        studies=("s1", "s2"),
        rejected=counted("1 no patient named"),
        unreadable="s2",
    )


def drawn(root: Path) -> Layout:
    root.mkdir(parents=True)
    return Layout(
        root=root,
        read=lambda: phantom.studies(4, seed=3),
        studies=tuple(arrival.study.study_id for arrival in phantom.studies(4, seed=3)),
        domain="synthetic",
    )


LAYOUTS: dict[str, Callable[[Path], Layout]] = {
    "table": listed,
    "phantom": drawn,
    "openi-nlm": nlm,
    "openi-kaggle": kaggle,
    "mimic-jpg": lambda root: mimic(root, ".jpg"),
    "mimic-dicom": lambda root: mimic(root, ".dcm"),
    "dicom": dicom_folder,
}
