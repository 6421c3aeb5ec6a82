"""The readers of both sites: which book each writes from, in what order, what each leaves unsaid.

Data and one choice. Doesn't know what is on a film.
"""

from __future__ import annotations

from xemplar.sources.phantom import (
    phrases_a1,
    phrases_a2,
    phrases_a3,
    phrases_a4,
    phrases_b1,
    phrases_b2,
    phrases_b3,
    phrases_de,
    phrases_es,
)
from xemplar.sources.phantom.tongues import GERMAN, SITE_A, SITE_B, SPANISH
from xemplar.sources.phantom.truth import (
    ATELECTASIS,
    CARDIOMEGALY,
    CONSOLIDATION,
    DEVICES,
    EDEMA,
    EFFUSION,
    FRACTURE,
    LESION,
    PNEUMOTHORAX,
    Site,
)
from xemplar.sources.phantom.words import Habit

FOREIGN = 0.04
"""Share of reports that are written in the site's other language."""

_DEVICES = {
    "pacemaker": "{side} pacemaker",
    "endotracheal tube": "endotracheal tube",
    "nasogastric tube": "nasogastric tube",
    "jugular line": "{side} jugular line",
    "picc": "{side} PICC",
    "chest tube": "{side} chest tube",
}
_THINGS = _DEVICES | {
    CARDIOMEGALY: "cardiomegaly",
    EFFUSION: "{side} pleural effusion",
    PNEUMOTHORAX: "{side} pneumothorax",
    CONSOLIDATION: "{side} consolidation",
    EDEMA: "pulmonary edema",
    ATELECTASIS: "{side} atelectasis",
    "nodule": "{side} lung nodule",
    "mass": "{side} lung mass",
}
_NOTES = _THINGS | {
    EFFUSION: "{side} effusion",
    EDEMA: "edema",
    "nodule": "{side} nodule",
    "mass": "{side} mass",
}
_BRITISH = _THINGS | {EDEMA: "pulmonary oedema", "chest tube": "{side} chest drain"}
_FLUID = _THINGS | {
    CARDIOMEGALY: "cardiac enlargement",
    EFFUSION: "{side} pleural fluid",
    CONSOLIDATION: "{side} consolidative change",
    ATELECTASIS: "{side} atelectatic change",
    "chest tube": "{side} pleural drain",
}
_ABBREVIATED = _FLUID | {
    PNEUMOTHORAX: "{side} PTX",
    EDEMA: "interstitial edema",
    "endotracheal tube": "ET tube",
    "nasogastric tube": "enteric tube",
    "jugular line": "{side} jugular catheter",
    "chest tube": "{side} pigtail catheter",
}
_EARLIER = _THINGS | {EDEMA: "edema", "jugular line": "{side} central venous line"}


def _denies(
    main: float, *, bones: float, devices: float, lungs: tuple[float, float, float]
) -> dict[str, float]:
    """Of heart, pleura and consolidation alike; of oedema, atelectasis and lesions; and of the rest."""
    chances = dict.fromkeys((CARDIOMEGALY, EFFUSION, PNEUMOTHORAX, CONSOLIDATION), main)
    chances |= dict(zip((EDEMA, ATELECTASIS, LESION), lungs, strict=True))
    return chances | {FRACTURE: bones, DEVICES: devices}


A1 = Habit(
    name="A1",
    book=phrases_a1.READER,
    tongue=SITE_A,
    order=("devices", "lungs", "pleura", "heart", "mediastinum", "diaphragm", "bones"),
    denies=_denies(0.94, bones=0.3, devices=0.1, lungs=(0.2, 0.04, 0.08)),
    things=_THINGS,
)
A2 = Habit(
    name="A2",
    book=phrases_a2.READER,
    tongue=SITE_A,
    order=("heart", "mediastinum", "lungs", "pleura", "diaphragm", "bones", "devices"),
    denies=_denies(0.82, bones=0.12, devices=0.12, lungs=(0.12, 0.03, 0.05)),
    things=_NOTES,
    hedges=0.38,
    compares=0.5,
)
A3 = Habit(
    name="A3",
    book=phrases_a3.READER,
    tongue=SITE_A,
    order=("lungs", "pleura", "heart", "mediastinum", "bones", "diaphragm", "devices"),
    denies=_denies(0.98, bones=0.95, devices=0.5, lungs=(0.9, 0.6, 0.85)),
    things=_NOTES,
    labels=phrases_a3.LABELS,
    hedges=0.45,
    compares=0.7,
    lines=3,
    numbered=True,
)
A4 = Habit(
    name="A4",
    book=phrases_a4.READER,
    tongue=SITE_A,
    order=("pleura", "lungs", "heart", "mediastinum", "bones", "diaphragm", "devices"),
    denies=_denies(0.9, bones=0.3, devices=0.15, lungs=(0.25, 0.05, 0.25)),
    things=_BRITISH,
    hedges=0.55,
    compares=0.7,
    technique=0.5,
    trend=0.3,
)
_B1_TERMS = {
    "small": "slight",
    "mild": "slight",
    "large": "sizeable",
    "severe": "marked",
    "mildly": "slightly",
    "severely": "markedly",
    "faint": "subtle",
    "patchy": "ill-defined",
    "dense": "confluent",
    "mid": "middle",
    "nodule small": "tiny",
    "nodule moderate": "medium-sized",
}
B1 = Habit(
    name="B1",
    book=phrases_b1.READER,
    tongue=SITE_B,
    order=("mediastinum", "heart", "pleura", "lungs", "bones", "diaphragm", "devices"),
    denies=_denies(0.88, bones=0.35, devices=0.15, lungs=(0.3, 0.15, 0.2)),
    things=_FLUID,
    terms=_B1_TERMS,
    technique=0.4,
)
B2 = Habit(
    name="B2",
    book=phrases_b2.READER,
    tongue=SITE_B,
    order=("devices", "heart", "pleura", "lungs", "mediastinum", "diaphragm", "bones"),
    denies=_denies(0.75, bones=0.2, devices=0.1, lungs=(0.15, 0.03, 0.05)),
    things=_ABBREVIATED,
    terms={"small": "minor", "mild": "min", "severe": "gross", "moderate": "mod", "severely": "grossly"},
    compares=0.7,
    lines=3,
)
B3 = Habit(
    name="B3",
    book=phrases_b3.READER,
    tongue=SITE_B,
    order=("bones", "mediastinum", "heart", "lungs", "pleura", "diaphragm", "devices"),
    denies=_denies(0.92, bones=0.6, devices=0.2, lungs=(0.5, 0.3, 0.4)),
    things=_EARLIER,
    terms={
        "small": "minor",
        "nodule small": "small",
        "mid": "middle",
    },
    technique=0.6,
    numbered=True,
)
_SPANISH_TERMS = {
    "right m": "derecho",
    "left m": "izquierdo",
    "right f": "derecha",
    "left f": "izquierda",
    "right p": "derechas",
    "left p": "izquierdas",
    "right": "del lado derecho",
    "left": "del lado izquierdo",
    "bilateral": "bilateral",
    "upper": "superior",
    "mid": "medio",
    "lower": "inferior",
    "upper p": "superiores",
    "mid p": "medios",
    "lower p": "inferiores",
    "small": "pequeño",
    "moderate": "moderado",
    "large": "grande",
    "mild": "leve",
    "severe": "grave",
    "marked": "marcada",
    "faint": "tenue",
    "patchy": "parcheada",
    "dense": "densa",
    "heart large moderate": "moderada",
    "linear atelectasis moderate": "moderada",
    "lobar atelectasis moderate": "moderada",
    "nodule moderate": "mediano",
}
ES = Habit(
    name="ES",
    book=phrases_es.READER,
    tongue=SPANISH,
    order=("heart", "mediastinum", "lungs", "pleura", "diaphragm", "bones", "devices"),
    denies=_denies(0.9, bones=0.3, devices=0.2, lungs=(0.2, 0.1, 0.2)),
    things={
        CARDIOMEGALY: "la cardiomegalia",
        EFFUSION: "derrame pleural {side}",
        PNEUMOTHORAX: "neumotórax {side}",
        CONSOLIDATION: "consolidación {side}",
        EDEMA: "edema pulmonar",
        ATELECTASIS: "atelectasia {side}",
        "nodule": "nódulo {side}",
        "mass": "masa {side}",
        "pacemaker": "marcapasos {side}",
        "endotracheal tube": "tubo endotraqueal",
        "nasogastric tube": "sonda nasogástrica",
        "jugular line": "catéter yugular {side}",
        "picc": "PICC {side}",
        "chest tube": "tubo de drenaje {side}",
    },
    terms=_SPANISH_TERMS,
)
_GERMAN_TERMS = {
    "right": "rechts",
    "left": "links",
    "bilateral": "beidseits",
    "right n": "rechten",
    "left n": "linken",
    "upper": "Oberfeld",
    "mid": "Mittelfeld",
    "lower": "Unterfeld",
    "upper p": "Oberfeldern",
    "mid p": "Mittelfeldern",
    "lower p": "Unterfeldern",
    "upper lobe": "Oberlappen",
    "lower lobe": "Unterlappen",
    "small": "kleiner",
    "moderate": "mäßiger",
    "large": "großer",
    "mild": "leichte",
    "marked": "ausgeprägte",
    "faint": "flaue",
    "patchy": "fleckige",
    "dense": "dichte",
    "heart large mild": "leicht",
    "heart large moderate": "mäßig",
    "heart large severe": "stark",
    "edema mild": "leichtes",
    "edema moderate": "mäßiges",
    "edema severe": "schweres",
    "linear atelectasis moderate": "mäßige",
    "bilateral atelectasis moderate": "mäßige",
    "lobar atelectasis moderate": "mäßige",
    "nodule moderate": "mittelgroßer",
}
DE = Habit(
    name="DE",
    book=phrases_de.READER,
    tongue=GERMAN,
    order=("heart", "mediastinum", "pleura", "lungs", "diaphragm", "bones", "devices"),
    denies=_denies(0.9, bones=0.3, devices=0.2, lungs=(0.2, 0.1, 0.2)),
    things={
        CARDIOMEGALY: "Herzvergrößerung",
        EFFUSION: "Pleuraerguss {side}",
        PNEUMOTHORAX: "Pneumothorax {side}",
        CONSOLIDATION: "Konsolidierung {side}",
        EDEMA: "Lungenödem",
        ATELECTASIS: "Atelektase {side}",
        "nodule": "Rundherd {side}",
        "mass": "Raumforderung {side}",
        "pacemaker": "Schrittmacher {side}",
        "endotracheal tube": "Endotrachealtubus",
        "nasogastric tube": "Magensonde",
        "jugular line": "Jugulariskatheter {side}",
        "picc": "PICC {side}",
        "chest tube": "Thoraxdrainage {side}",
    },
    terms=_GERMAN_TERMS,
)

READERS: dict[Site, tuple[Habit, ...]] = {"A": (A1, A2, A3, A4), "B": (B1, B2, B3)}
OTHER: dict[Site, Habit] = {"A": ES, "B": DE}


def habit(site: Site, reader: int, *, foreign: bool) -> Habit:
    """The habits of reader 1 to 4 of a site, or those of its colleague who writes another language."""
    own = READERS[site]
    return OTHER[site] if foreign else own[(reader - 1) % len(own)]
