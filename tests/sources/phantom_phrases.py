"""Every sentence that a reader can write of one thing, and what it is meant to say: for tests alone."""

from collections.abc import Iterator
from itertools import product

from xemplar.sources.phantom import slots
from xemplar.sources.phantom.changes import COMPARED
from xemplar.sources.phantom.readers import A1, A2, A3, A4, B1, B2, B3
from xemplar.sources.phantom.truth import Atelectasis, Consolidation, Effusion, Fracture, Heart, Lesion

SITE_A, SITE_B = (A1, A2, A3, A4), (B1, B2, B3)
SIDES, ZONES = ("right", "left"), ("upper", "mid", "lower")
HEART = [
    slots.of_heart(Heart(ratio, d)) for d, ratio in (("mild", 0.54), ("moderate", 0.6), ("severe", 0.66))
]
FLUID = [slots.of_fluid([Effusion(s, d, 0.1)]) for s in SIDES for d in ("small", "moderate", "large")]
PAIRS = [
    slots.of_fluid([Effusion("right", one, 0.1), Effusion("left", two, 0.1)])
    for one, two in product(("small", "moderate", "large"), repeat=2)
]
OPACITY = [
    slots.of_opacity(Consolidation(s, z, d, 1.0, 1.0, 0))
    for s, z, d in product(SIDES, ZONES, ("faint", "patchy", "dense"))
]
BANDS = [
    slots.of_opacity(Atelectasis(s, z, d, "linear", 0))
    for s, z, d in product(SIDES, ("mid", "lower"), ("mild", "moderate", "marked"))
]
LOBES = [
    slots.of_opacity(Atelectasis(s, z, d, "lobar", 0))
    for s, z, d in product(SIDES, ("upper", "lower"), ("moderate", "marked"))
]
EDEMA = [{"degree": degree} for degree in ("mild", "moderate", "severe")]
NODULES = [
    slots.of_lesions([Lesion(s, z, d, "nodule", r, 0)])
    for s, z, (d, r) in product(SIDES, ZONES, (("small", 7.0), ("moderate", 12.0)))
]
MASSES = [slots.of_lesions([Lesion(s, z, "large", "mass", 20.0, 0)]) for s, z in product(SIDES, ZONES)]
MANY = [
    slots.of_lesions(
        [Lesion(one, "mid", "small", "nodule", 7.0, 0), Lesion(two, "mid", "small", "nodule", 7.0, 1)]
    )
    for one, two in product(SIDES, repeat=2)
]
RIB = [slots.of_fractures([Fracture(s, n, True, 5.0)]) for s in SIDES for n in range(4, 10)]
RIBS = [
    slots.of_fractures([Fracture(s, n + k, True, 5.0) for k in range(count)])
    for s, n, count in product(SIDES, range(4, 8), (2, 3))
]
DEVICES = ("pacemaker", "endotracheal tube", "nasogastric tube", "jugular line", "picc", "chest tube")
MIDLINE = ("endotracheal tube", "nasogastric tube")
SIDED = [{"side": side} for side in SIDES]

STATED = {
    "heart large": ("Cardiomegaly", HEART),
    "effusion": ("Pleural Effusion", FLUID),
    "effusion both": ("Pleural Effusion", [p for p in PAIRS if p["right"] == p["left"]]),
    "effusion unequal": ("Pleural Effusion", [p for p in PAIRS if p["right"] != p["left"]]),
    "pneumothorax": ("Pneumothorax", FLUID),
    "consolidation": ("Consolidation", OPACITY),
    "edema": ("Edema", EDEMA),
    "linear atelectasis": ("Atelectasis", BANDS),
    "bilateral atelectasis": ("Atelectasis", BANDS),
    "lobar atelectasis": ("Atelectasis", LOBES),
    "nodule": ("Lung Lesion", NODULES),
    "nodules": ("Lung Lesion", MANY),
    "mass": ("Lung Lesion", MASSES),
    "recent fracture": ("Fracture", RIB),
    "recent fractures": ("Fracture", RIBS),
    "healed fracture": ("Fracture", RIB),
    "healed fractures": ("Fracture", RIBS),
}
HEDGED = {
    "heart perhaps": ("Cardiomegaly", HEART[:1]),
    "effusion perhaps": ("Pleural Effusion", [s for s in FLUID if s["degree"] == "small"]),
    "pneumothorax perhaps": ("Pneumothorax", [s for s in FLUID if s["degree"] == "small"]),
    "consolidation perhaps": ("Consolidation", [s for s in OPACITY if s["degree"] == "faint"]),
    "edema perhaps": ("Edema", EDEMA[:1]),
    "atelectasis perhaps": ("Atelectasis", [s for s in BANDS if s["degree"] == "mild"]),
    "lesion perhaps": ("Lung Lesion", [s for s in NODULES if s["degree"] == "small"]),
    "fracture perhaps": ("Fracture", RIB),
}
DENIED = {
    "heart normal": ("Cardiomegaly",),
    "no air no fluid": ("Pleural Effusion", "Pneumothorax"),
    "no fluid": ("Pleural Effusion",),
    "no air": ("Pneumothorax",),
    "nothing at all": ("Consolidation", "Pleural Effusion", "Pneumothorax"),
    "no consolidation": ("Consolidation",),
    "lungs clear": ("Consolidation",),
    "no edema": ("Edema",),
    "no atelectasis": ("Atelectasis",),
    "no lesion": ("Lung Lesion",),
    "no fracture": ("Fracture",),
    "bones": ("Fracture",),
    "no devices": ("Support Devices",),
}
SILENT = {
    "hyperinflated": [{}],
    "low volumes": [{}],
    "raised": SIDED,
    "granuloma": [{"side": s, "zone": z} for s, z in product(SIDES, ZONES)],
    "aorta": [{}],
    "scoliosis": SIDED,
    "spondylosis": [{}],
    "bubble": [{}],
    "mediastinum": [{}],
    "technique": [{}],
    "technique one": [{}],
    "all well": [{}],
    "normal": [{}],
    "nothing more": [{}],
    "notice": [{}],
}
CHANGES = ("unchanged", "increased", "decreased", "resolved", "new")
KEPT = {"Cardiomegaly": ("unchanged",), "Lung Lesion": ("unchanged", "increased", "decreased", "new")}


def rendered(habit, key, given) -> Iterator[str]:
    """Every variant of a key for one filling, as a reader's sentence; as in an impression, too."""
    for name in (key, f"impression {key}"):
        for text in habit.book.get(name, ()):
            words = text.format(**slots.worded(given, key, habit.terms))
            yield words[0].upper() + words[1:]
            for opening in ("there is a ", "there is ", "there are "):
                if words.startswith(opening):
                    short = words.removeprefix(opening)
                    yield short[0].upper() + short[1:]


REGION_OF = {
    "devices": (*DEVICES, "no devices", "placed", "removed"),
    "heart": ("heart large", "heart perhaps", "heart normal"),
    "mediastinum": ("aorta", "mediastinum"),
    "diaphragm": ("raised", "bubble"),
    "bones": ("scoliosis", "spondylosis", "bones", "no fracture"),
    "pleura": ("no fluid", "no air", "no air no fluid", "nothing at all"),
}


def region(key, says) -> str:
    """The region that a sentence stands in."""
    for name, keys in REGION_OF.items():
        if key in keys:
            return name
    regions = {
        "Fracture": "bones",
        "Pleural Effusion": "pleura",
        "Pneumothorax": "pleura",
        "Cardiomegaly": "heart",
    }
    return next((regions.get(finding, "lungs") for finding in says), "lungs")


Told = tuple[str, str, dict[str, str], str | None]
"""Key, sentence, {finding: presence}, side."""
BOTH = ("effusion both", "effusion unequal", "bilateral atelectasis")


def affirmed(habit) -> Iterator[Told]:
    """Everything that is present or possible, devices too."""
    tables = [(STATED, "present"), (HEDGED, "uncertain")]
    cases = [(key, *row, presence) for table, presence in tables for key, row in table.items()]
    cases += [
        (key, "Support Devices", [{"side": ""}] if key in MIDLINE else SIDED, "present") for key in DEVICES
    ]
    cases.append(("impression devices", "Support Devices", [{}], "present"))
    for key, finding, fillings, presence in cases:
        for given in fillings:
            side = "bilateral" if key in BOTH else given.get("side") or None
            for text in rendered(habit, key, given):
                yield key, text, {finding: presence}, side


def plain(habit) -> Iterator[Told]:
    """Everything but comparisons and addenda."""
    yield from affirmed(habit)
    for key, findings in DENIED.items():
        for text in rendered(habit, key, {}):
            yield key, text, dict.fromkeys(findings, "absent"), None
    for key, fillings in SILENT.items():
        for given in fillings:
            for text in rendered(habit, key, given):
                yield key, text, {}, None


def comparing(habit) -> Iterator[Told]:
    """The same of every comparing sentence."""
    for finding in COMPARED:
        for noun in ("nodule", "mass") if finding == "Lung Lesion" else (finding,):
            for key in KEPT.get(finding, CHANGES):
                for side in ("right", "left", "bilateral") if "{side}" in habit.things[noun] else ("",):
                    presence = "absent" if key == "resolved" else "present"
                    yield from _remarks(habit, key, noun, side=side, says={finding: presence})
    for kind in DEVICES:
        for side in ("",) if kind in MIDLINE else SIDES:
            yield from _remarks(habit, "placed", kind, side=side, says={"Support Devices": "present"})
            yield from _remarks(habit, "removed", kind, side=side, says={"Support Devices": "absent"})


def added(habit) -> Iterator[Told]:
    """What is present or possible, said in an addendum."""
    for key, text, says, side in affirmed(habit):
        if key == "impression devices":
            continue
        line = text if text[1:2].isupper() else text[0].lower() + text[1:]
        for words in rendered(habit, "addendum", {"line": line}):
            yield key, f"ADDENDUM: {words}", says, side


def _remarks(habit, key, noun, *, side, says):
    thing = " ".join(habit.things[noun].format(side=habit.terms.get(side, side)).split())
    a_thing = f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"
    for text in rendered(habit, key, {"thing": thing, "device": thing, "a_device": a_thing}):
        yield key, text, says, side or None
