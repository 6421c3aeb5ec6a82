"""Reader 1 of site A: whole sentences. Data only."""

from __future__ import annotations

from xemplar.sources.phantom.words import Book

READER: Book = {
    "heart normal": ("the heart size is normal.", "the cardiac silhouette is normal in size."),
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
    "pneumothorax": ("there is a {degree} {side} pneumothorax.",),
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
    "edema": (
        "there is {degree} pulmonary edema.",
        "the findings are consistent with {degree} pulmonary edema.",
    ),
    "edema perhaps": (
        "there is possibly mild pulmonary edema.",
        "prominent vascular markings may represent mild interstitial edema.",
    ),
    "linear atelectasis": ("there is {degree} linear atelectasis in the {side} {zone} zone.",),
    "bilateral atelectasis": ("there is {degree} bilateral {zone} zone linear atelectasis.",),
    "lobar atelectasis": (
        "there is {degree} atelectasis of the {lobe} with volume loss.",
        "there is {degree} collapse of the {lobe}.",
    ),
    "atelectasis perhaps": (
        "a linear density in the {side} {zone} zone may represent atelectasis.",
        "there is possible mild {side} {zone} zone atelectasis.",
    ),
    "nodule": ("there is a {degree} nodule in the {side} {zone} zone.",),
    "nodules": ("there are multiple {side} pulmonary nodules.",),
    "mass": (
        "there is a large mass in the {side} {zone} zone.",
        "a large pulmonary mass is seen in the {side} {zone} zone.",
    ),
    "lesion perhaps": (
        "there is a possible small nodule in the {side} {zone} zone.",
        "a rounded density in the {side} {zone} zone may represent a nodule.",
    ),
    "recent fracture": (
        "there is a displaced fracture of the {side} {rib} rib.",
        "an acute fracture of the {side} {rib} rib is seen.",
    ),
    "recent fractures": ("there are displaced fractures of the {side} {ribs} ribs.",),
    "healed fracture": ("an old healed {side} {rib} rib fracture is noted.",),
    "healed fractures": ("there are old healed fractures of the {side} {ribs} ribs.",),
    "fracture perhaps": (
        "there is a possible fracture of the {side} {rib} rib.",
        "irregularity of the {side} {rib} rib may represent a fracture.",
    ),
    "no air no fluid": (
        "there is no pleural effusion or pneumothorax.",
        "no pleural effusion or pneumothorax is seen.",
    ),
    "no fluid": ("there is no pleural effusion.", "no pleural effusion is seen."),
    "no air": ("there is no pneumothorax.", "no pneumothorax is seen."),
    "nothing at all": ("there is no focal consolidation, pleural effusion, or pneumothorax.",),
    "no consolidation": ("there is no focal consolidation.",),
    "lungs clear": ("the lungs are clear.",),
    "no edema": ("there is no pulmonary edema.",),
    "no atelectasis": ("there is no atelectasis.",),
    "no lesion": ("there is no pulmonary nodule or mass.",),
    "no fracture": ("no rib fracture is seen.",),
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
    "raised": ("the {side} hemidiaphragm is elevated.",),
    "granuloma": ("a calcified granuloma is noted in the {side} {zone} zone.",),
    "aorta": ("the thoracic aorta is tortuous.",),
    "scoliosis": ("there is scoliosis of the thoracic spine convex to the {side}.",),
    "spondylosis": ("there are degenerative changes of the thoracic spine.",),
    "bubble": ("the stomach is distended with gas.",),
    "bones": ("the osseous structures are intact.",),
    "mediastinum": ("the mediastinal contours are unremarkable.",),
    "unchanged": ("the {thing} is unchanged since the prior study.",),
    "increased": ("the {thing} has increased since the prior study.",),
    "decreased": ("the {thing} has decreased since the prior study.",),
    "resolved": ("the previously seen {thing} has resolved.",),
    "new": ("the {thing} is new since the prior study.",),
    "placed": ("there has been interval placement of {a_device}.",),
    "removed": ("there has been interval removal of the {device}.",),
    "all well": ("no acute cardiopulmonary abnormality.",),
    "nothing more": ("no other acute abnormality.",),
    "impression devices": ("support devices as described above.",),
    "addendum": ("on further review: {line}", "the following was omitted from the original report: {line}"),
    "notice": ("the findings were discussed with the referring team by telephone.",),
}
