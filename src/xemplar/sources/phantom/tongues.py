"""What surrounds a report and is no finding: reasons, dates of priors, words for sex; by house and language.

Data only.
"""

from __future__ import annotations

from xemplar.sources.phantom.words import Tongue

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

SITE_A = Tongue(
    language="en",
    comparison="Chest radiograph of {day} {month} {year}.",
    none="None.",
    months=_MONTHS,
    indications=(
        "Shortness of breath.",
        "Cough and fever.",
        "Chest pain.",
        "Follow-up.",
        "Preoperative assessment.",
        "Line placement.",
        "Routine examination.",
        "{age}-year-old {sex} with dyspnea.",
        "{age}-year-old {sex} with cough.",
    ),
    sexes={"F": "woman", "M": "man"},
    addendum="ADDENDUM",
)
SITE_B = Tongue(
    language="en",
    comparison="Prior chest exam, {month} {day}, {year}.",
    none="None.",
    months=_MONTHS,
    indications=(
        "SOB.",
        "{sex}, {age} y, SOB.",
        "{sex}, {age} y, CP.",
        "{sex}, {age} y, r/o acute process.",
        "Pre-op.",
        "Febrile.",
        "S/p fall.",
        "Daily portable in ICU.",
    ),
    sexes={"F": "F", "M": "M"},
    addendum="ADDENDUM",
)
SPANISH = Tongue(
    language="es",
    comparison="Radiografía de tórax del {day} de {month} de {year}.",
    none="Ninguna.",
    months=(
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ),
    indications=(
        "Disnea.",
        "Tos y fiebre.",
        "Dolor torácico.",
        "{sex} de {age} años con disnea.",
        "Control.",
    ),
    sexes={"F": "Mujer", "M": "Varón"},
    addendum="ADENDA",
)
GERMAN = Tongue(
    language="de",
    comparison="Röntgen-Thorax vom {day}. {month} {year}.",
    none="Keine.",
    months=(
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ),
    indications=(
        "Dyspnoe.",
        "Husten und Fieber.",
        "Thoraxschmerz.",
        "{sex}, {age} Jahre, Dyspnoe.",
        "Kontrolle.",
    ),
    sexes={"F": "Frau", "M": "Mann"},
    addendum="NACHTRAG",
)
