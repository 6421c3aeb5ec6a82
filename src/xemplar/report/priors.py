"""Which sentences compare with an earlier film.

Knows the words of change and sameness, and which of them look ahead (advice), sideways ("left worse than
right") or at the patient's past ("prior sternotomy") instead of at a film. Knows nothing of findings.
"""

from __future__ import annotations

import re
from functools import cache

from xemplar.report.headings import without_accents

_READ = 1000
"""Letters that are looked at."""

_IMAGE = (
    r"(?:stud(?:y|ies)|exams?|examinations?|films?|radiographs?|x-?rays?|images?|imaging|ct|cts|scans?"
    r"|cta|mri?"
    r"|radiographic|chest|views?|tomograms?|comparisons?|reports?|portable|priors?|cxrs?|outside)"
)
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december|jan|feb"
    r"|mar|apr"
    r"|jun|jul|aug|sept?|oct|nov|dec)\b"
)

_NOT_ONE = rf"""
    \bno(?:ne)?\s+(?:\w+\s+){{0,3}}?
        (?:comparisons?|(?:prior|previous)\s+(?:\w+\s+)?{_IMAGE})\b[^.;,]*
    | \b(?:absence|lack)\s+of\s+(?:\w+\s+){{0,3}}?(?:comparisons?|priors?|(?:prior|previous
        |old)\s+{_IMAGE})\b[^.;,]*
    | \b(?:comparisons?|priors?|(?:prior|previous|old)\s+(?:\w+\s+){{0,2}}?{_IMAGE})\s+(?:\w+\s+){{0,3}}?
        (?:none|(?:not|un)\s*available|not\s+provided|recommended|suggested|advised|helpful|useful
        |of\s+(?:benefit|help|value))\b
    | \bcomparison\s*:\s*none\b
    | \bnone\s+available\b[^.;]*
    | \b(?:compar(?:e|ison)|correlat(?:e|ion))\s+(?:\w+\s+)?(?:with|to)\s+(?:any\s+)?(?:\w+\s+)?(?:prior
        |previous|outside|old|any)\b
        (?:[^.;]*\b(?:recommend|suggest|help|useful|advis|possible|available)\w*
        |(?<=correlate\swith\sprior)[^.;]*)
    | \bcorrelat(?:e|ion)\b[^.;]*\b(?:prior|previous|old|outside)\b[^.;]*
    | \bif\b[^.;,]*
    | \b(?:ensure|document|confirm|assess|verify|evaluate|determine|exclude|monitor|establish)(?:ing
        |s)?\s+(?:for\s+)?(?:\w+\s+){{0,3}}?
        (?:resol\w+|stab\w+|clear\w+|improv\w+|chang\w+|progress\w+|persist\w+)(?:\s+(?:and|or)\s+\w+)?
    | \b(?:follow(?:-|\s)?ups?|followed|repeat\s+\w+|imaging)\s+(?:\w+\s+){{0,6}}?(?:to|until
        |for)\s+(?:\w+\s+){{0,2}}?(?:resolution|clearing|stability)\b
    | \bfollow(?:-|\s)?ups?\s+(?:to\s+)?(?:resolution|clearing|stability)\b
    | \b(?:short(?:-|\s)?(?:term)?|close|regular|appropriate|suggested|year)(?:-|\s)interval\b
    | \binterval\s+(?:follow|surveillance|imaging|radiograph|re-?imag|evaluation|x-?ray|chest|ct)\w*
    | \bwors[et]\w*\s+(?:(?:on|in|at|over|within)\s+(?:the\s+)?|than\s+(?:the\s+)?)?
        (?:left|right|contralateral|bas(?:e|al|es|ilar)|lower|upper|apic\w+|mid\w*|l\d|t\d+|c\d|lumbar
        |thoracic|cervical)\b
    | \b(?:compar(?:ed|able)|similar)\s+(?:to|with)\s+(?:the\s+)?(?:left|right|contralateral|opposite|other
        |rest)\b
    | \bnew\s+york\b | \bnew-?born\b | \bstable\s+(?:patient|vital|hemodynamic\w*)\b
        | \bhemodynamically\s+stable\b
    | \bcontinued\s+(?:clinical\s+)?(?:concern|follow|surveillance|attention|monitoring|evaluation)\w*
    | \brecurrent\s+laryngeal\b | \bnow\s+(?:have|recommend)\b | \bbaseline\s+(?:study|exam|for)\b
    | \b(?:could|may|might|possibl[ey]|question(?:able)?|versus|vs|or|and/or|developing\s+or|representing?
        |represents?)\s+(?:\w+\s+)?(?:resolving|improving|worsening|persistent|recurrent)\b
"""

_PRIOR = rf"""
    \b(?:unchanged|unaltered|interval(?:ly)?|interim|stable|stability|newly|new|previously|again
        |re-?(?:demonstrat|identif|visuali[sz]|accumulat|appear)\w*|re-?expan(?:ded|sion)|worsen\w*|worse
        |improv(?:ed|ing|ement)|persist(?:s|ent|ing|ently|ence|ed)?
        |no\s+longer|resol(?:ved|ving|ution)|progress(?:ed|ion|ive|ively|ing)|regress\w+|enlarging
        |comparison|compar(?:ed|ing|able)|similar(?:ly)?|remains?|remained|continues?|continued|still
        |heretofore
        |increasing(?:ly)?|decreasing|recurrent|as\s+before|now|baseline|extubated|extubation)\b
    | \b(?:no|not|without|little|any)\s+(?:\w+\s+){{0,3}}?(?:chang(?:e|ed)|difference)\b(?!\s+of\b)
    | \b(?:since|from|than|to|with|on|the|a|per|of)\s+(?:the\s+|a\s+|an\s+|most\s+recent\s+|multiple\s+
        |several\s+|his\s+|her\s+)*(?:\w+\s+)?
        (?:priors?|previous|last|earlier|preceding|recent)\b
        (?=\s*(?:[.,;:)]|\Z|\d|_|x{{3}}|and\b|of\s+\d|from\b|dated\b|to\b|at\b
        |(?:\w+[\s-]+){{0,3}}?{_IMAGE}\b|{_MONTH}|day\b|night\b))
    | \b(?:prior|previous|last|earlier|preceding)\s+(?:\w+\s+){{0,2}}?{_IMAGE}\b(?!\s+(?:tube|surgery|wall))
    | \b(?:old|outside|recent)\s+(?:\w+\s+){{0,2}}?(?:stud(?:y|ies)|exams?|films?|radiographs?|ct|scans?
        |mri)\b
    | \bsince\s+(?!(?:the\s+)?patient|there\b|these\b|this\b|it\b)
    | \b(?:increas|decreas|diminish|reduc|enlarg)(?:ed|es|ing|e)\s+(?:\w+\s+){{0,3}}?
        (?:since|from|compared|than|interval|in\s+size)\b
    | \b(?:increase|decrease|reduction|enlargement|progression)\s+in\b
    | \b(?:has|have|had|there's|'ve)\s+(?:\w+\s+){{0,2}}?
        (?:increased|decreased|enlarged|diminished|cleared|grown|developed|changed|shrunk|risen|moved
        |migrated|occurred|progressed)\b
    | \b(?:has|have)\s+(?:\w+\s+)?been\s+(?:\w+\s+)?
        (?:removed|placed|inserted|advanced|withdrawn|repositioned|retracted|exchanged|pulled|extubated
        |clear(?:ing|ed)|change|increase|decrease|development|resolution)\b
    | \bthere(?:\s+(?:has|have)|'s)\s+been\s+(?:\w+\s+){{0,3}}?(?:increase|decrease|clearing|development
        |removal|placement|worsening
        |progression|resolution|improvement|change|extubation|insertion|advancement|reduction|repositioning
        |withdrawal)\b
    | \b(?:larger|smaller|greater|less|more)\s+(?:\w+\s+){{0,2}}?than\s+(?:on|in|before|prior|previous|seen)
    | \bnot\s+(?:well\s+|clearly\s+|definitely\s+)?(?:seen|present|visualized|identified
        |evident)\s+on\s+(?:the\s+)?(?:prior|previous)
    | \bbetter\s+(?:aerat|inflat|expand)\w+ | \b(?:is|are)\s+(?:slowly\s+)?(?:clearing|healing\s+since)\b
    | \b(?:larger|smaller|worse|better|higher|lower)\s+today\b
"""

# Words that no English sentence holds, without accents.
_ABROAD = r"""
    \b(?:sin\s+cambios|(?:con\s+)?respecto\s+(?:a|al)|estables?|previ[oa]s?|persiste[n]?|mejoria|empeora\w*
        |ha[n]?\s+(?:aumentado|disminuido|desaparecido)
        |comparad[oa]s?|comparacion|ya\s+conocid[oa]s?|no\s+se\s+aprecian?\s+cambios|resuelt[oa]s?
        |unverandert\w*|voraufnahmen?|voruntersuchung\w*|ruckl?auf\w*|zunehmend\w*|abnehmend\w*
        |progredien\w+|neu\s+aufgetreten\w*|im\s+vergleich|gegenuber
        |im\s+verlauf|regredien\w+|vorbekannt\w*|konstant\w*|weiterhin
        |inchange(?:e|s|es)?|par\s+rapport|precedents?|precedente|anterieure?s?|apparition\s+d|majoration
        |regression|persistance|comparativement
        |inalterad[oa]s?|sem\s+alteracoes\s+(?:em\s+relacao|evolutivas)|em\s+relacao\s+a[o]?|estaveis
        |estavel|comparativ[oa]|exame\s+anterior|reducao|houve
        |invariat[oaie]|immodificat[oaie]|rispetto|precedenti?|confronto|in\s+riduzione|in\s+aumento
        |stazionari[oae]
        |onveranderde?|ongewijzigde?|vergeleken|vorig[e]?|toegenomen|afgenomen|ten\s+opzichte)\b
"""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.VERBOSE)


def compares_with_prior(sentence: str) -> bool:
    """Whether a sentence speaks of change or sameness against an earlier film.

    A statement that there is nothing to compare with is not a comparison; nor is advice ("follow up to
    resolution"), the other side ("left worse than right"), or the past of the patient ("prior CABG").
    """
    sentence = sentence[:_READ]
    left = _compiled(_NOT_ONE).sub(" ", sentence)
    if _compiled(_PRIOR).search(left) is not None:
        return True
    return _compiled(_ABROAD).search(without_accents(sentence)) is not None
