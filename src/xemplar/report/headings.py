"""Heading words of radiology reports in seven languages -> the section each opens.

Knows words alone, as they are written without accents and in lower case; whether a word stands where a
heading stands is `sections.py`'s to say.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache, lru_cache

UNNAMED = "unnamed"

SECTION_NAMES: tuple[str, ...] = (
    "indication",
    "technique",
    "comparison",
    "findings",
    "impression",
    "addendum",
    "preliminary",
    "recommendation",
    "notification",
    "signature",
    UNNAMED,
)
"""Every name a section can have. "preliminary" is a wet read; the last but one three are what follows a
report; "unnamed" is text before any heading, titles and the patient's particulars."""

_PHRASES: dict[str, str] = {
    "indication": r"""
        indications? | (?:brief )?history | hx | (?:clinical|patient|medical|relevant|brief) (?:indications?
        |history|hx|information|info|data|statement|question|details?|background|context|summary|notes?
        |problem|diagnosis|presentation) | history of (?:the )?present(?:ing)? illness | hpi
        | (?:reasons?|indications?|history) for (?:the |this )?(?:exam(?:ination)?|study|visit|request
        |test|order|procedure|consult(?:ation)?|radiograph|imaging) | reason | request | symptoms?
        | (?:admitting|underlying|clinical) (?:diagnosis|medical condition) | chief complaint
        | present(?:ing)? complaint
        | clinical | preoperative diagnosis
        | klinische (?:angaben?|frage(?:stellung)?|information(?:en)?|gegevens|vraagstelling|inlichtingen)
        | klinik | fragestellung | anamnese | indikation | (?:rechtfertigende|medizinische) indikation
        | vorgeschichte | klinik und fragestellung | vraagstelling | indicatie | aanvraag
        | (?:datos|informacion|historia|antecedentes|resumen|sospecha|diagnostico) clinic[oa]s?
        | antecedentes
        | motivo(?: (?:de(?:l)? )?(?:la )?(?:consulta|estudio|examen|exploracion|solicitud|peticion))?
        | indicacion(?:es)? | indicacao(?: clinica)? | (?:dados|informacoes) clinic[oa]s | historia
        | (?:renseignements|informations|contexte|donnees|indication) cliniques? | motif(?: de l'examen)?
        | antecedents | contexte | indicazion[ei](?: cliniche?)? | quesito(?: (?:clinico|diagnostico))?
        | notizie cliniche | anamnesi | dati clinici | sospetto clinico
    """,
    "technique": r"""
        techniques? | procedure(?: comments?| details?)? | (?:exam(?:ination)?|study|procedure)
        (?: (?:type|performed|description|name|requested))? | types? of (?:exam(?:ination)?|study)
        | views?(?: obtained)? | protocol | exposure | contrast | method(?:s|ology)? | imaging technique
        | projections? | (?:dose|radiation dose)
        | technik | methode | untersuchung(?:stechnik|smethode)? | aufnahmetechnik | techniek | onderzoek
        | tecnica(?: (?:de(?:l)? )?(?:estudio|examen|exploracion|d'esame|utilizada))?
        | estudio(?: realizado)? | exploracion
        | examen(?: realizado)? | procedimiento | proyecciones | exame | metodo(?:logia)?
        | esame(?: eseguito)?
        | technique d'examen | etude | type d'examen | proyeccion
    """,
    "comparison": r"""
        comparisons?(?: (?:stud(?:y|ies)|exams?|films?|(?:is )?made(?: to| with)?|to|with|date))?
        | (?:prior|previous|old|reference) (?:exams?|examinations?|stud(?:y|ies)|films?|imaging|radiographs?
        |comparisons?|reports?) | priors? | compared (?:to|with) | correlation | relevant priors?
        | vergleich(?:suntersuchung(?:en)?|saufnahmen?)? | voraufnahmen? | voruntersuchung(?:en)?
        | vergelijking
        | vorbefunde? | comparacion(?: con)? | (?:estudios?|exploraciones|examenes) (?:previos?
        |anterior(?:es)?)
        | comparativ[oa] | comparaison(?: avec)? | (?:examens?|cliches) (?:anterieurs?|precedents?)
        | comparacao | (?:estudo|exame)s? anterior(?:es)? | confront[oi] | (?:esame|esami) precedent[ei]
    """,
    "findings": r"""
        (?:(?:chest|radiographic|radiological|radiology|imaging|x-?ray|image|exam|examination|report
        |detailed|relevant|pertinent
        |chest (?:x-?ray|radiograph|film)|cxr|lateral|frontal|portable) )?findings?
        | observations? | descriptions? | results? | narrative(?: report)? | body(?: of report)?
        | (?:radiology |radiological |x-?ray )?report | reading | details?
        | (?:rontgen)?befund(?:e|bericht)? | beschreibung | bevindingen | verslag | beschrijving
        | hallazgos(?: (?:radiologicos|de imagen))? | informe(?: radiologico)? | descripcion
        | resultados? | observaciones | achados(?: radiologicos)? | analise | relatorio | descricao | laudo
        | resultats? | constatations? | compte[ -]rendu | lecture | referto | repert[oi] | descrizione
        | analyse
    """,
    "impression": r"""
        (?:(?:final|overall|diagnostic|radiographic|radiological|radiology|chest|cxr|imaging|general
        |summary|x-?ray) )?(?:impressions?|conclusions?) | assessment | opinion | interpretation | summary
        | (?:final |radiological |imaging |radiologic )?diagnos[ie]s | impression and (?:plan
        |recommendations?)
        | conclusions? and recommendations? | (?:final |official )interpretation | bottom line
        | key findings?
        | (?:zusammenfassende )?beurteilung | zusammenfassung | fazit | ergebnis | conclusie | beoordeling
        | samenvatting | impresion(?: (?:diagnostica|radiologica|final))? | conclusion(?:es)?
        | juicio(?: (?:diagnostico|clinico))? | diagnostico(?: (?:radiologico|final))? | resumen
        | valoracion
        | synthese | interpretation | au total | en conclusion | impressao(?: diagnostica)? | conclusao
        | conclusoes | opiniao | hipotese diagnostica | conclusion[ei] | impressione(?: diagnostica)?
        | diagnosi | giudizio | sintesi
    """,
    "comment": r"comments? | discussion | commentaires? | comentarios? | commento | kommentar | anmerkung",
    "addendum": r"""
        (?:final )?(?:report )?addend(?:um|a|ums)(?: (?:report|begins?|end|\#? ?\d))? | amendment
        | amended report
        | addendum to (?:the )?(?:original |final )?report | nachtrag | adenda | anexo | adendo | aanvulling
    """,
    "preliminary": r"""
        (?:preliminary )?wet read(?:ing)?(?: version(?: \#? ?\d)?)? | preliminary (?:report|read(?:ing)?
        |interpretation
        |findings?|impressions?) | pfi | provisional findings? impressions?(?: pfi)? | resident (?:read
        |preliminary)
    """,
    "recommendation": r"""
        recommendations? | recommended follow[ -]?up | plan | follow[ -]?up(?: recommendations?)?
        | suggestions? | advice | empfehlung(?:en)? | procedere | recomendacion(?:es)? | recomendacao
        | recomendacoes | recommandations? | conduite a tenir | raccomandazion[ei] | advies
    """,
    "notification": r"""
        (?:critical )?(?:notifications?|communications?)(?: of (?:critical )?(?:results?|findings?))?
        | critical (?:results?|values?|test result)(?: (?:notification|communication))?
        | result notification
        | communicated to | notified
    """,
    "signature": r"""
        (?:(?:report )?(?:electronically |digitally |e-?)?(?:signed|approved|verified|authenticated
        |finali[sz]ed
        |authori[sz]ed|validated)|dictated|read|reported|interpreted|transcribed|reviewed|typed|prepared)
        (?: (?:and|/) (?:signed|electronically signed|reviewed|approved|verified|authenticated
        |interpreted))?
        (?: (?:by|on|at|date|date/time|electronically by))?
        | transcriptionist | (?:attending |reporting |reading |interpreting |consultant
        |staff )?(?:radiologist|physician)
        | (?:radiology )?resident | attending | attestation | teaching physician(?: attestation)?
        | signature
        | signed | unterschrift | firma(?:do)?(?: por)? | medico radiologo | radiologue | dictee? par
        | signe par
    """,
    UNNAMED: r"""
        (?:final|radiology|radiological|x-?ray|imaging|diagnostic|official
        |chest x-?ray) (?:radiology )?report
        | findings? and impressions? end | patient(?: (?:name|id|number|age|sex|information))? | name
        | mrn | dob
        | date of birth | accession(?: (?:number|no|\#))? | (?:ordering|referring|requesting) (?:physician
        |provider
        |doctor|clinician|service) | (?:exam(?:ination)? |study |report |service )?(?:date|time)(?:/time)?
        | date of (?:exam(?:ination)?|study|service|procedure) | facility | department | hospital
        | location | sex
        | age | gender | (?:exam(?:ination)?|study|order|visit) (?:number|no|id|\#) | (?:report )?status
        | end of (?:report|addendum|impression) | paciente | fecha | datum | patient(?:enname|in)?
        | birth ?date
        | requested by | ordered by | modality | body part
    """,
}
"""Section -> heading words; "comment" is the impression of a report that has no other, else findings."""

_RANK = ("impression", "findings", "preliminary", "comparison", "technique", "indication")
"""Of a heading that names two sections ("TECHNIQUE AND FINDINGS") the first of these is opened."""

STRONG = frozenset({"indication", "technique", "comparison", "findings", "impression", "addendum"})

_JOINS = re.compile(r" ?(?:[/&,+]|\b(?:and|or|und|en|y|et|e|ed|with)\b) ?")
_IN_BRACKETS = re.compile(r" ?[(\[][^()\[\]]*[)\]] ?")
_EDGE = " \t*_#=[]()|>'\"."


@cache
def _known() -> re.Pattern[str]:
    """Every heading word, a group a section."""
    groups = []
    for name, words in _PHRASES.items():
        pattern = re.sub(r"\s*\n\s*", "", words).strip()
        pattern = pattern.replace(" | ", "|").replace("| ", "|")
        groups.append(f"(?P<{name}>{pattern})")
    return re.compile("|".join(groups))


@lru_cache(maxsize=4096)
def section_named(phrase: str) -> str | None:
    """The section a heading opens, by its words in any case and without accents; None for other words.

    What stands in brackets is passed over ("FINDINGS (PA AND LATERAL)"); of a heading that joins
    several ("TECHNIQUE/FINDINGS") every part must be known.
    """
    plain = " ".join(phrase.replace("(s)", "s").replace("(S)", "s").split()).casefold()
    plain = _IN_BRACKETS.sub(" ", plain).strip(_EDGE)
    if not plain:
        return None
    match = _known().fullmatch(plain)
    if match is not None:
        return match.lastgroup
    parts = [part for part in _JOINS.split(plain) if part]
    if len(parts) < 2:
        return None
    names = [match.lastgroup if (match := _known().fullmatch(part)) else None for part in parts]
    return next((name for name in _RANK if name in names), None) if all(names) else None


@cache
def _bare() -> dict[int, int]:
    """Accented letter -> its bare letter; one for one, so that no offset moves."""
    table = {}
    for code in range(0xC0, 0x250):
        letter = unicodedata.normalize("NFD", chr(code))[0]
        if letter.isascii() and code < sys.maxunicode:
            table[code] = ord(letter)
    return table


def without_accents(text: str) -> str:
    """The text with its Latin letters bare, of the same length."""
    return text if text.isascii() else text.translate(_bare())
