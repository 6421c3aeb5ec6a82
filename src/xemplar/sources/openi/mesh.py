"""Medical Subject Headings of the Indiana collection -> labels and facets.

Knows which headings state a finding of ours, and no more: a heading that isn't there denies nothing, and
neither does "normal", by which its coders meant that there was nothing worth a heading.
"""

from __future__ import annotations

from collections.abc import Sequence

from xemplar.records import Presence

NORMAL = "normal"
BORDERLINE = "borderline"

HEADINGS: dict[str, tuple[str, ...]] = {
    "Airspace Disease": ("Lung Opacity",),
    "Cardiomegaly": ("Cardiomegaly",),
    "Catheters, Indwelling": ("Support Devices",),
    "Consolidation": ("Consolidation",),
    "Fractures, Bone": ("Fracture",),
    "Hemopneumothorax": ("Pleural Effusion", "Pneumothorax"),
    "Hemothorax": ("Pleural Effusion",),
    "Hydropneumothorax": ("Pleural Effusion", "Pneumothorax"),
    "Implanted Medical Device": ("Support Devices",),
    "Infiltrate": ("Lung Opacity",),
    "Mass": ("Lung Lesion",),
    "Medical Device": ("Support Devices",),
    "Nodule": ("Lung Lesion",),
    "Opacity": ("Lung Opacity",),
    "Pleural Effusion": ("Pleural Effusion",),
    "Pneumonia": ("Pneumonia",),
    "Pneumothorax": ("Pneumothorax",),
    "Pulmonary Atelectasis": ("Atelectasis",),
    "Pulmonary Edema": ("Edema",),
    "Stents": ("Support Devices",),
    "Surgical Instruments": ("Support Devices",),
    "Sutures": ("Support Devices",),
    "Tube, Inserted": ("Support Devices",),
}
QUALIFIED: dict[tuple[str, str], str] = {
    ("Cardiac Shadow", "enlarged"): "Cardiomegaly",
    ("Thickening", "pleura"): "Pleural Other",
}
"""Headings that state a finding only with one of their qualifiers."""


def mesh_labels(terms: Sequence[str]) -> dict[str, Presence]:
    """Terms as coded ("Cardiomegaly/borderline") -> what they state of our findings.

    Present, or uncertain where the qualifier is "borderline"; of two terms the surer one. Qualifiers of
    place, side and degree are left to the facet.
    """
    labels: dict[str, Presence] = {}
    for term in terms:
        heading, *qualifiers = (part.strip() for part in term.split("/"))
        stated = list(HEADINGS.get(heading, ()))
        stated += [QUALIFIED[heading, word] for word in qualifiers if (heading, word) in QUALIFIED]
        for finding in stated:
            if BORDERLINE not in qualifiers:
                labels[finding] = "present"
            else:
                labels.setdefault(finding, "uncertain")
    return dict(sorted(labels.items()))


def mesh_facets(terms: Sequence[str]) -> dict[str, str]:
    """The terms as they were coded, and whether "normal" was all that was."""
    facets = {"mesh": ";".join(terms)} if terms else {}
    if [term.casefold() for term in terms] == [NORMAL]:
        facets["normal"] = "yes"
    return facets
