"""Medical Subject Headings of the Indiana collection -> labels and facets.

Knows which headings state a finding of ours, and no more: a heading that isn't there denies nothing, and
neither does "normal", by which its coders meant that there was nothing worth a heading. Of a place it
knows whether it speaks for or against a finding.
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

LUNG = frozenset({"lung", "thorax"})
WITHIN_LUNG = frozenset({
    "apex", "azygos lobe", "base", "hilum", "lingula", "lower lobe", "middle lobe", "multilobar",
    "pulmonary alveoli", "retrocardiac", "upper lobe",
})  # fmt: skip
HOW = frozenset({
    "abnormal", "acute", "anterior", "bilateral", "borderline", "chronic", "diffuse", "focal", "interstitial",
    "irregular", "large", "left", "mild", "moderate", "multiple", "patchy", "posterior", "prominent",
    "reticular", "right", "round", "scattered", "severe", "small", "streaky",
})  # fmt: skip
"""Qualifiers that aren't a place. The coders' list is closed (Demner-Fushman et al., JAMIA 2016;23:304)."""
OF_LUNG = frozenset({"Lung Lesion", "Lung Opacity"})
"""Findings of the lung, whose headings are coded of a rib's or a breast's opacity or nodule as well."""

OUTSIDE_CHEST = frozenset({
    "abdomen", "breast", "cervical vertebrae", "clavicle", "humerus", "lumbar vertebrae", "neck", "shoulder",
    "spine", "thoracic vertebrae",
})  # fmt: skip
"""Clips, stents, anchors and stimulators there are no device of the chest."""
WITH_A_TIP = frozenset({"Catheters, Indwelling", "Tube, Inserted"})
"""Their place is that of the tip; the way there leads through the chest."""


def mesh_labels(terms: Sequence[str]) -> dict[str, Presence]:
    """Terms as coded ("Cardiomegaly/borderline") -> what they state of our findings.

    Present, or uncertain where the qualifier is "borderline"; of two terms the surer one. A lesion or an
    opacity must be in the lung or nowhere said, a device not outside the chest; side and degree are left
    to the facet.
    """
    labels: dict[str, Presence] = {}
    for term in terms:
        heading, *qualifiers = (part.strip() for part in term.split("/"))
        qualifiers = [word.casefold() for word in qualifiers]
        stated = list(HEADINGS.get(heading, ()))
        stated += [QUALIFIED[heading, word] for word in qualifiers if (heading, word) in QUALIFIED]
        for finding in stated:
            if not _in_place(finding, heading, frozenset(qualifiers)):
                continue
            if BORDERLINE not in qualifiers:
                labels[finding] = "present"
            else:
                labels.setdefault(finding, "uncertain")
    return dict(sorted(labels.items()))


def _in_place(finding: str, heading: str, qualifiers: frozenset[str]) -> bool:
    """Whether the qualifiers leave the finding where it belongs; a place that isn't known speaks against."""
    if finding in OF_LUNG:
        return bool(qualifiers & LUNG) or qualifiers <= WITHIN_LUNG | HOW
    if finding == "Support Devices" and heading not in WITH_A_TIP:
        return not qualifiers & OUTSIDE_CHEST
    return True


def mesh_facets(terms: Sequence[str]) -> dict[str, str]:
    """The terms as they were coded, and whether "normal" was all that was."""
    facets = {"mesh": ";".join(terms)} if terms else {}
    if [term.casefold() for term in terms] == [NORMAL]:
        facets["normal"] = "yes"
    return facets
