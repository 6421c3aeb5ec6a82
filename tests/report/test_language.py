"""Which language a text is in."""

import csv
import os
from pathlib import Path

import held_out
import pytest

from xemplar import report
from xemplar.report.language import _classifier


@pytest.mark.parametrize(
    "text",
    [
        "No pleural effusion.",
        "Cardiomegaly.",
        "The heart is not enlarged and the lungs are clear.",
        "",
        "XXXX",
        "Panoramic radiograph",
        "Inguinal ligament (IL).",
        "Drug eluting stents (DES) in series",
        "A pacemaker is in place.",
        "Port in place.",
        "Nodules in that area.",
    ],
)
def test_english(text):
    assert report.is_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "Kein Pleuraerguss, das Herz ist nicht vergrößert.",
        "Sin derrame pleural.",
        "SIN DERRAME PLEURAL.",
        "No se observa derrame pleural ni neumotórax.",
        "Distension digestive avec niveaux hydro-aériques et vacuité pelvienne",
        "Ausência de derrame pleural; não há consolidação.",
        "Сердце не увеличено.",
    ],
)
def test_not_english(text):
    assert not report.is_english(text)


SENTENCES = {
    "en": (
        "No pleural effusion.",
        "CARDIOMEGALY. LUNGS CLEAR.",
        "Normal chest.",
        "Heart size normal.",
        "NO ACUTE CARDIOPULMONARY PROCESS.",
        "Left basilar atelectasis",
        "Unchanged.",
        "Stable cardiomegaly.",
        "Bibasilar opacities, likely atelectasis.",
        "ET tube 3 cm above carina.",
        "Right PICC tip in SVC.",
        "Degenerative changes of the thoracic spine.",
        "Small right apical pneumothorax.",
        "Calcified granuloma, right upper lobe.",
        "Emphysema.",
        "Hyperinflated lungs with flattened diaphragms",
        "s/p CABG",
        "Tortuous aorta.",
        "RLL pneumonia.",
        "Osteopenia. Kyphosis.",
        "Mild vascular congestion",
        "Elevated left hemidiaphragm.",
        "Sternotomy wires intact.",
        "Lungs hypoinflated",
        "XXXX opacity, XXXX scarring.",
    ),
    "es": (
        "sin hallazgos patologicos .",
        "cardiomegalia .",
        "DERRAME PLEURAL DERECHO.",
        "no se observan infiltrados",
        "silueta cardiaca normal .",
        "aumento de densidad en base izquierda",
        "elongacion aortica .",
        "cambios degenerativos columna dorsal",
        "Atelectasias laminares bibasales.",
        "Índice cardiotorácico normal",
        "pinzamiento seno costofrenico izquierdo .",
        "SIN ALTERACIONES PLEUROPULMONARES",
        "Engrosamiento pleural apical bilateral",
        "hernia de hiato",
        "patron intersticial bilateral .",
        "Granuloma calcificado en lóbulo superior derecho.",
        "signos de epoc .",
        "radiografia de torax normal",
        "tubo endotraqueal normoposicionado",
        "Escoliosis dorsal.",
        "sin cambios respecto a estudio previo",
        "Consolidación en LID.",
        "cayado aortico calcificado",
        "Prótesis mamarias.",
        "neumotorax izquierdo",
    ),
    "de": (
        "Kein Pleuraerguss.",
        "Herz normal groß.",
        "HERZ NICHT VERBREITERT. KEIN ERGUSS.",
        "Unauffälliger Befund.",
        "Keine Stauungszeichen",
        "Kein Nachweis eines Pneumothorax",
        "Z.n. Sternotomie.",
        "Beidseitige Pleuraergüsse",
        "Infiltrat rechts basal",
        "Rundherd im linken Oberlappen.",
        "Mediastinum mittelständig",
        "Unveränderter Befund zur Voraufnahme.",
        "ZVK von rechts jugulär",
        "Degenerative Veränderungen der BWS",
        "Minderbelüftung links basal.",
        "Zwerchfellhochstand rechts",
        "Zunehmende Verschattung.",
        "Kardiomegalie.",
        "keine frische Infiltration",
        "Aortensklerose.",
        "Herzschrittmacher links pektoral",
        "Dystelektasen beidseits",
        "Pleuraschwielen apikal bds.",
        "Lungengefäßzeichnung unauffällig",
        "Emphysem.",
    ),
    "fr": (
        "Pas d'épanchement pleural.",
        "Cardiomégalie.",
        "SILHOUETTE CARDIAQUE NORMALE.",
        "Absence de foyer parenchymateux",
        "Opacité basale droite.",
        "Pas de pneumothorax",
        "Poumons clairs.",
        "PAS D'ANOMALIE",
        "Coupole diaphragmatique gauche surélevée",
        "Émoussement du cul-de-sac costo-diaphragmatique gauche.",
        "Syndrome interstitiel bilatéral",
        "Calcifications de la crosse aortique",
        "Sonde d'intubation en place.",
        "Atélectasie en bande de la base gauche",
        "Thorax normal.",
        "Examen sans particularité",
        "Médiastin non élargi",
        "Épanchement de moyenne abondance",
        "Stable par rapport au cliché précédent.",
        "Lésions dégénératives rachidiennes",
        "Fracture de côte droite",
        "Nodule du lobe supérieur droit",
        "Distension thoracique.",
        "Pace-maker gauche",
        "Transparence pulmonaire normale",
    ),
    "pt": (
        "Ausência de derrame pleural.",
        "Cardiomegalia. Aorta alongada.",
        "SEM DERRAME PLEURAL",
        "Área cardíaca normal",
        "Pulmões livres.",
        "Campos pulmonares sem alterações",
        "Seios costofrênicos livres",
        "Opacidade na base direita",
        "Não há pneumotórax.",
        "Atelectasia laminar à esquerda",
        "Espessamento pleural apical.",
        "Aorta ateromatosa",
        "Mediastino centrado",
        "Consolidação no lobo inferior direito.",
        "Alterações degenerativas da coluna",
        "Exame dentro dos limites da normalidade",
        "Nódulo calcificado no ápice",
        "hilos pulmonares normais",
        "Sinais de congestão.",
        "Marcapasso à esquerda.",
        "Velamento do seio costofrênico",
        "Cateter venoso central bem posicionado",
        "Derrame pleural bilateral pequeno",
        "Arcabouço ósseo íntegro",
        "Hiperinsuflação pulmonar",
    ),
    "it": (
        "Non versamento pleurico.",
        "Cardiomegalia. Aorta sclerotica.",
        "NON LESIONI PLEURO-PARENCHIMALI",
        "Ombra cardiaca nei limiti",
        "Seni costofrenici liberi.",
        "Addensamento basale destro",
        "Non si osservano focolai",
        "Ili vascolari congesti",
        "Quadro invariato.",
        "Pneumotorace apicale sinistro",
        "Ispessimento pleurico bilaterale",
        "Esiti di sternotomia",
        "Accentuazione della trama broncovasale",
        "Tubo endotracheale in sede.",
        "Immagine cardiaca ingrandita",
        "Atelettasia del lobo medio",
        "Noduli calcifici",
        "Mediastino in asse.",
        "Scoliosi dorsale.",
        "Versamento a sinistra",
        "Campi polmonari normoespansi",
        "Frattura costale destra",
        "Emidiaframma destro sollevato.",
        "nella norma",
        "Enfisema polmonare",
    ),
    "nl": (
        "Geen pleuravocht.",
        "Hart niet vergroot.",
        "GEEN INFILTRAAT",
        "Normale longvaattekening",
        "Slanke hila",
        "Geen afwijkingen.",
        "Pleuravocht rechts",
        "Vergroot hart met stuwing",
        "Onveranderd beeld.",
        "Consolidatie linker onderkwab",
        "Geen aanwijzingen voor pneumothorax",
        "Degeneratieve veranderingen wervelkolom",
        "Status na sternotomie",
        "Hoogstand rechter diafragma",
        "Maagsonde in situ.",
        "Nodus in de rechter bovenkwab",
        "Tube in goede positie",
        "Toegenomen sluiering",
        "Mediastinum niet verbreed",
        "Cardiomegalie. Geen decompensatie.",
        "Bekende ribfracturen",
        "Emfyseem.",
        "Atelectase links basaal",
        "Verkalkte aorta",
        "Vrije sinussen",
    ),
}
"""Short and telegraphic, as reports are; the words of the program were chosen with these in sight."""


def right(known, read=report.language_of):
    """How many of the sentences are read in their own language, and how many there are."""
    pairs = [(one, code) for code, several in known.items() for one in several]
    return sum(read(one) == code for one, code in pairs), len(pairs)


def test_sentences_in_sight():
    assert right(SENTENCES) == (172, 175)


def test_sentences_in_sight_shouted():
    assert right({code: [one.upper() for one in several] for code, several in SENTENCES.items()}) == (
        172,
        175,
    )


def test_sentences_held_out():
    correct, all_of_them = right(held_out.SENTENCES)
    assert correct >= 0.85 * all_of_them


def test_held_out_are_none_of_those_in_sight():
    seen = {one.casefold().strip(" .") for several in SENTENCES.values() for one in several}
    assert not [
        one
        for several in held_out.SENTENCES.values()
        for one in several
        if one.casefold().strip(" .") in seen
    ]


def test_held_out_beyond_the_general_classifier():
    ranked = _classifier().rank
    theirs, _ = right(
        held_out.SENTENCES,
        lambda one: next(code for code, _ in ranked(one.lower()) if code in held_out.SENTENCES),
    )
    assert right(held_out.SENTENCES)[0] > theirs


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Сердце не увеличено, лёгкие без очаговых изменений.", "ru"),
        ("両肺に異常陰影を認めません。", "ja"),
        ("Hjertet er ikke forstørret, og der er ingen pleuraeffusion på nogen af siderne.", "da"),
        ("Serce niepowiększone, płuca bez zmian ogniskowych, jamy opłucnowe wolne.", "pl"),
        ("XXXX ___ 12.5", None),
        ("", None),
    ],
)
def test_other_scripts_and_languages(text, language):
    assert report.language_of(text) == language


@pytest.mark.parametrize(
    ("sentence", "home", "language"),
    [
        ("Sin derrame pleural derecho.", "en", "es"),
        ("No pleural effusion.", "es", "en"),
        ("N effusions.", "en", "en"),
        ("Inferior XXXX XXXX.", "en", "en"),
        ("Thorax normal.", "de", "de"),
        ("12.5", "fr", "fr"),
        ("Sin derrame pleural derecho.", None, "es"),
        ("Сердце не увеличено, лёгкие без очаговых изменений.", "en", "ru"),
    ],
)
def test_the_language_of_a_sentence_within_a_report(sentence, home, language):
    assert report.language_within(sentence, home) == language


@pytest.mark.shared
def test_no_sentence_of_open_i_is_lost_to_another_language():
    root = os.environ.get("XEMPLAR_DATA")
    if not root:
        pytest.skip("XEMPLAR_DATA is not set")
    with (Path(root) / "iu_reports" / "reports.csv").open(encoding="utf-8", newline="") as file:
        texts = {row[part] for row in csv.DictReader(file) for part in ("findings", "impression")}
    told = {sentence for text in texts for sentence in report.sentences(text)}
    assert [one for one in sorted(told) if report.language_within(one, "en") != "en"] == []
