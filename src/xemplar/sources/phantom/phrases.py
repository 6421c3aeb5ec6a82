"""The two readers' phrase books: what each writes for each thing that can be said.

Data only. Reader 1 writes whole sentences, reader 2 notes. `{degree}`, `{side}`, `{zone}` are filled
in by `reports`; the first letter is made a capital there. Within a pair the choice is free.
"""

from __future__ import annotations

Variants = tuple[str, ...]
Book = dict[str, Variants]

READER_1: Book = {
    "heart normal": (
        "the heart size is normal.",
        "the cardiac silhouette is normal in size.",
    ),
    "heart large": (
        "the heart is {adverb} enlarged.",
        "there is {degree} enlargement of the cardiac silhouette.",
    ),
    "heart perhaps": (
        "the heart is possibly mildly enlarged.",
        "the cardiac silhouette may be mildly enlarged.",
    ),
    "effusion": (
        "there is a {degree} {side} pleural effusion.",
        "a {degree} {side} pleural effusion is present.",
    ),
    "effusion both": (
        "there are {degree} bilateral pleural effusions.",
        "{degree} bilateral pleural effusions are present.",
    ),
    "effusion unequal": (
        "there are bilateral pleural effusions, {right} on the right and {left} on the left.",
    ),
    "effusion perhaps": (
        "blunting of the {side} costophrenic angle may represent a small pleural effusion.",
        "there is possibly a small {side} pleural effusion.",
    ),
    "pneumothorax": (
        "there is a {degree} {side} pneumothorax.",
        "a {degree} {side} pneumothorax is seen.",
    ),
    "pneumothorax perhaps": (
        "a faint line at the {side} apex may represent a small pneumothorax.",
        "there is possibly a small {side} apical pneumothorax.",
    ),
    "consolidation": (
        "there is {degree} consolidation in the {side} {zone} zone.",
        "there is {degree} airspace opacity in the {side} {zone} lung zone.",
    ),
    "consolidation perhaps": (
        "a faint opacity in the {side} {zone} zone may represent consolidation.",
        "there is possible early consolidation in the {side} {zone} zone.",
    ),
    "no air no fluid": (
        "there is no pleural effusion or pneumothorax.",
        "no pleural effusion or pneumothorax is seen.",
    ),
    "no fluid": ("there is no pleural effusion.", "no pleural effusion is seen."),
    "no air": ("there is no pneumothorax.", "no pneumothorax is seen."),
    "no consolidation": ("the lungs are clear.", "there is no focal consolidation."),
    "pacemaker": (
        "a {side} chest wall pacemaker is present with leads in the right atrium and right ventricle.",
        "there is a {side}-sided dual lead pacemaker.",
    ),
    "endotracheal tube": (
        "an endotracheal tube is in place with its tip above the carina.",
        "the endotracheal tube terminates above the carina.",
    ),
    "nasogastric tube": (
        "a nasogastric tube courses below the diaphragm.",
        "a nasogastric tube terminates in the stomach.",
    ),
    "jugular line": (
        "a {side} internal jugular central venous catheter terminates in the superior vena cava.",
        "there is a {side} internal jugular central line in place.",
    ),
    "picc": (
        "a {side} PICC terminates in the superior vena cava.",
        "a {side}-sided PICC line is in place.",
    ),
    "chest tube": ("a {side} chest tube is in place.", "there is a {side}-sided chest tube."),
    "no devices": ("no lines or tubes are seen.",),
    "hyperinflated": ("the lungs are hyperinflated with flattened diaphragms.",),
    "low volumes": ("the lung volumes are low.",),
    "raised": ("the {place} hemidiaphragm is elevated.",),
    "granuloma": ("a calcified granuloma is noted in the {place} zone.",),
    "aorta": ("the thoracic aorta is tortuous.",),
    "scoliosis": ("there is scoliosis of the thoracic spine convex to the {place}.",),
    "fracture": ("an old healed {place} rib fracture is noted.",),
    "spondylosis": ("there are degenerative changes of the thoracic spine.",),
    "bubble": ("the stomach is distended with gas.",),
    "bones": ("the osseous structures are intact.", "no acute osseous abnormality is seen."),
    "mediastinum": ("the mediastinal contours are unremarkable.",),
    "unchanged": ("the {thing} is unchanged since the prior study.",),
    "increased": ("the {thing} has increased since the prior study.",),
    "decreased": ("the {thing} has decreased since the prior study.",),
    "resolved": ("the previously seen {thing} has resolved.",),
    "new": ("the {thing} is new since the prior study.",),
    "all well": ("no acute cardiopulmonary abnormality.",),
    "nothing more": ("no other acute abnormality.",),
    "impression devices": ("support devices as described above.",),
}

READER_2: Book = {
    "heart normal": ("heart size normal.", "heart not enlarged."),
    "heart large": ("{degree} cardiomegaly.", "heart enlarged, {degree} cardiomegaly."),
    "heart perhaps": (
        "possible mild cardiomegaly.",
        "borderline heart size, mild cardiomegaly not excluded.",
    ),
    "effusion": ("{degree} {side} pleural effusion.", "{degree} {side} effusion with meniscus."),
    "effusion both": ("{degree} bilateral pleural effusions.", "bilateral effusions, {degree}."),
    "effusion unequal": ("bilateral effusions, {right} right and {left} left.",),
    "effusion perhaps": (
        "possible small {side} pleural effusion.",
        "{side} costophrenic angle blunted, questionable small effusion.",
    ),
    "pneumothorax": (
        "{degree} {side} pneumothorax.",
        "{degree} {side} pneumothorax with visible pleural line.",
    ),
    "pneumothorax perhaps": (
        "possible small {side} apical pneumothorax.",
        "questionable small {side} pneumothorax.",
    ),
    "consolidation": (
        "{degree} {side} {zone} zone consolidation.",
        "{degree} airspace disease, {side} {zone} zone.",
    ),
    "consolidation perhaps": (
        "possible {side} {zone} zone consolidation.",
        "questionable faint consolidation, {side} {zone} zone.",
    ),
    "no air no fluid": ("no pleural effusion or pneumothorax.", "no effusion, no pneumothorax."),
    "no fluid": ("no pleural effusion.", "no effusion."),
    "no air": ("no pneumothorax.",),
    "no consolidation": ("lungs clear.", "no consolidation."),
    "pacemaker": (
        "{side} dual lead pacemaker.",
        "{side} pacemaker, leads in right atrium and right ventricle.",
    ),
    "endotracheal tube": ("endotracheal tube above carina.", "ET tube tip above carina."),
    "nasogastric tube": ("nasogastric tube in stomach.", "NG tube below diaphragm."),
    "jugular line": ("{side} jugular central line, tip in SVC.", "{side} IJ line in SVC."),
    "picc": ("{side} PICC, tip in SVC.", "{side} PICC line in place."),
    "chest tube": ("{side} chest tube in place.", "{side} chest drain in situ."),
    "no devices": ("no support devices.",),
    "hyperinflated": ("hyperinflated lungs, flat diaphragms.",),
    "low volumes": ("low lung volumes.",),
    "raised": ("raised {place} hemidiaphragm.",),
    "granuloma": ("calcified granuloma {place} zone.",),
    "aorta": ("unfolded aorta.",),
    "scoliosis": ("scoliosis convex to the {place}.",),
    "fracture": ("old {place} rib fracture.",),
    "spondylosis": ("thoracic spondylosis.",),
    "bubble": ("gaseous distension of the stomach.",),
    "bones": ("bones unremarkable.", "no bony abnormality."),
    "mediastinum": ("normal mediastinum.",),
    "unchanged": ("{thing} unchanged.",),
    "increased": ("{thing} larger than on prior.",),
    "decreased": ("{thing} smaller than on prior.",),
    "resolved": ("{thing} resolved.",),
    "new": ("{thing} new since prior.",),
    "all well": ("no acute abnormality.", "no active disease."),
    "nothing more": ("otherwise unremarkable.",),
    "impression devices": ("lines and devices as above.",),
}

BOOKS: dict[int, Book] = {1: READER_1, 2: READER_2}
ORDER: dict[int, tuple[str, ...]] = {
    1: ("devices", "volumes", "lungs", "pleura", "heart", "bones"),
    2: ("heart", "lungs", "pleura", "volumes", "bones", "devices"),
}
INDICATIONS = (
    "Shortness of breath.",
    "Cough and fever.",
    "Chest pain.",
    "Follow-up.",
    "Preoperative assessment.",
    "Line placement.",
    "Routine examination.",
)
