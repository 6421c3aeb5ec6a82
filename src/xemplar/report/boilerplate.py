"""Which sentences say nothing of the film, and which lean on something said elsewhere.

Knows the stock phrases of dictation: who read, signed, was told what; what was taken; what to do next.
Knows nothing of findings: a sentence that tells one within a notice ("pneumothorax, discussed with Dr. A")
is no boilerplate, but can't be quoted of another film either.
"""

from __future__ import annotations

import re
from functools import cache

_READ = 300
"""Letters that are looked at: no notice is longer before it has shown what it is."""

_PERSON = (
    r"(?:the\s+)?(?:(?:clinical|referring|ordering|primary|icu|ed|er|medical|surgical|emergency|treating"
    r"|ward|floor|qa|covering"
    r"|care|on-?call)\s+)*(?:drs?\b\.?|doctors?|physicians?|clinicians?|providers?|nurses?|teams?"
    r"|houseofficers?"
    r"|house\s+(?:staff|officers?)|residents?|interns?|service|department|office|wards?|floor|nurse\w*"
    r"|team|np\b|pa\b|rn\b|md\b|_{2,}|x{3,}\b)"
)
_TOLD = (
    r"(?:discussed|communicated|conveyed|relayed|reported|called|telephoned|phoned|paged|e-?mailed"
    r"|notified|informed"
    r"|entered|posted|verbalized|reviewed|transmitted|flagged|sent|provided|alerted|made\s+aware)"
)
_SAID = (
    r"(?:findings?|results?|impression|conclusions?|reports?|stud(?:y|ies)|examinations?|exams?|cases?"
    r"|recommendations?"
    r"|these|this|it|above|information|interpretation|images?|observations?|changes?|discrepanc(?:y|ies)"
    r"|abnormalit(?:y|ies)"
    r"|wet\s+read|preliminary\s+\w+|critical\s+\w+|updates?|messages?|notification|communication"
    r"|telephone\s+\w+)"
)

_CLOSING = rf"""
    (?:\W*(?:this|the|an?|these|all|above|of|note\s+that|please\s+note\s+that|and|were|was)\s+)*
    (?:
      (?:report\s+)?(?:electronically|digitally)\s+(?:signed|verified|approved|authenticated)\b.*
    | (?:report\s+|was\s+|final\s+)?(?:dictated|transcribed|typed)\b.*
    | (?:report|document|dictation|note|transcription|examination|study|exam)s?\b[^.]*\b(?:dictated
        |transcribed|signed|voice|speech|finalized|verified)\b.*
    | (?:signed|read|interpreted|verified|approved|reviewed|reported|finalized|authenticated
        |edited)(?:\s+and\s+\w+)*\s+(?:by|on|at|date)\b.*
    | [\w\s.,_-]{{0,60}}\b(?:i|we|attending|radiologist|physician|staff|faculty
        |undersigned)\b[^.]*\b(?:personally|have|has|certify|attest|was\s+present
        |agree)\b[^.]*\b(?:reviewed|review|viewed|interpreted|examined|agree|edited|present|concur)\b.*
    | [^.]*\bpersonally\s+(?:reviewed|viewed|interpreted|supervised)\b.*
    | [^.]*\b(?:images?|films?|stud(?:y|ies))\s+and\s+(?:the\s+|this\s+)?(?:\w+\s+)?(?:report
        |interpretation|findings?|dictation)\s+(?:was|were|have\s+been)\s+(?:\w+\s+)?(?:reviewed
        |verified)\b.*
    | (?:[dt]|dd|dt|job(?:\s*(?:id|\#|number))?|transcriptionist|radiologist|attending(?:\s+\w+)?|signature
        |end\s+of\s+(?:report|impression|addendum|diagnostic\s+report)|final\s+report|accession|mrn
        |primary\s+diagnostic\s+code|diagnostic\s+code)\s*(?:[:\#].*|\W*)
    | thank\s+you\b.* | thanks\b.* | sincerely\b.* | mit\s+freundlichen\b.* | atentamente\b.* | gracias\b.*
    | (?:{_SAID}\W+(?:\w+\s+){{0,8}}?)?(?:(?:was|were|has\s+been|have\s+been|is|are|being
        |will\s+be)\s+(?:\w+ly\s+|also\s+|then\s+|been\s+)*)?{_TOLD}\W+
      (?:(?:and|\w+ly|discussed|acknowledged|understood|to|with|by|at|via|over|on|directly|through
        |in\s+person|in|into|for|from|the|a|an|phone|telephone|ward|reader|verbally|page|person|email|time
        |approximately)\W+)*{_PERSON}\b.*
    | {_SAID}\W+(?:\w+\s+){{0,8}}?(?:was|were|has\s+been
        |have\s+been)\s+(?:\w+\s+){{0,3}}?{_TOLD}\b[^.]*\b(?:telephone|phone|page[rd]?|dashboard|critical
        |e-?mail|at\s+(?:the\s+)?time|via|person|verbal\w*|by\s+dr|by\s+_|communication)\b.*
    | {_PERSON}[^.;]{{0,40}}?(?:\b\w\.\s[^.;]{{0,30}}?)?\b(?:(?:was|were|has\s+been|have\s+been
        |is)\s+(?:\w+\s+){{0,3}}?)?(?:notified|informed|paged|called|contacted|aware|made\s+aware|told
        |alerted|telephoned)\b.*
    | {_PERSON}[^.;]{{0,40}}?\b(?:acknowledged|confirmed|verified\s+receipt|read\s+back
        |expressed\s+understanding)\b.*
    | (?:a\s+)?(?:telephone|phone|verbal|pager|paging|e-?mail|message|critical|wet\s+read
        |preliminary)\s+(?:notification|call|communication|discussion|message|report|results?|read
        |findings?|reading)\b[^.]*\b(?:documented|through|made|placed|left|sent|given|provided|issued|was
        |were|to|by)\b.*
    | (?:discussed|communicated|conveyed|relayed|notified|paged|telephoned)\b(?:\W+\w+){{0,4}}?\W+(?:with
        |to|by|at|via)\b.*
    | [^.]{{0,60}}\b(?:employed|used|attempt\w*|made)\s+to\s+(?:notify|contact|reach)\b.*
    | [^.,;]{{0,40}}\bmessage\s+(?:was\s+|has\s+been\s+)?(?:sent|left)\b.*
    | (?:critical\s+)?results?\s+(?:notification|communication|discussed)\b.*
    | at\s+the\s+time\s+of\s+(?:dictation|observation|discovery|interpretation|review|this\s+report)\b[^;]*
        \b(?:physicians?|drs?|paged|notified|called|telephone|phone|informed|discussed)\b.*
    | called\s+(?:at|to|in|by)\b.* | wet\s+read\b.*
    )
"""

_NOTHING = r"""
    (?:(?:impression|findings?|notification|recommendations?|comparison)\s*:?\s*)?(?:none|n/?a|nil
        |not\s+applicable|same(?:\s+day)?|ditto|as\s+(?:above|below|stated|noted|described|dictated)
        |see\s+(?:above|below|findings?
        |impression|report|body(?:\s+of(?:\s+the)?\s+report)?|separate\s+report|comments?)|per\s+(?:above
        |findings?)
        |(?:see|as)\s+(?:above|below)\s+(?:findings?|impression|report|discussion|description|comments?)
        |as\s+(?:noted|described|stated|detailed|discussed)\s+(?:above|below|in\s+(?:the\s+)?findings?)
        |unknown|not\s+(?:given|provided|available|stated)|no\s+comments?|above|end
        |pending)(?:\s+(?:available|given|provided))?
    | (?:please\s+)?(?:see|refer\s+to)\s+(?:the\s+|a\s+|also\s+)*(?:\w+\W+){0,6}?(?:reports?|sections?
        |dictations?|findings?|impression|addendum|discussion|comments?)\b[^.]{0,60}
    | [^:.]{1,40}:
"""

_PROCEDURE = (
    r"(?:ct|cta|hrct|mri?|pet|pet[-/]?ct|ultrasound|sonograph\w*|ultrasonograph\w*|echocardiogra\w*"
    r"|bronchoscop\w*|biops\w*|imaging"
    r"|radiograph\w*|x-?rays?|films?|views?|scan\w*|tomograph\w*|fluoroscop\w*|follow(?:-|\s)?ups?"
    r"|correlat\w*|comparison|examinations?"
    r"|exams?|evaluation|assessment|stud(?:y|ies)|surveillance|reimaging|series|work-?up|consultation"
    r"|attention|monitoring|verification|scanning"
    r"|investigations?|characterization|repeat|referral|management)"
)
_ADVISED = (
    r"(?:recommend\w*|suggest(?:ed|s|ing)?|advis\w+|request\w*|helpful|of\s+help|useful|beneficial"
    r"|warranted|indicated|prudent|appropriate|obtain(?:ed|ing)?"
    r"|perform(?:ed|ing)?|consider(?:ed)?|needed|necessary|required|valuable|of\s+value|can\s+be\s+used"
    r"|could\s+be\s+used|encouraged|informative|require|further\s+evaluat\w+)"
)
_ADVICE = rf"""
    (?:(?:please|also|therefore|thus|would|we|i|then|if\s+[^.]{{1,120}}?,|when\s+[^.]{{1,80}}?,
        |for\s+(?:further|better|more)\s+[^.]{{1,60}}?,|clinically|consequently|otherwise|as\s+such|and
        |again|once\s+\w+,)\W+){{0,4}}+
    (?:
      (?:recommend|recommended|recommendation|recommending|recommendations|suggest|advise|suggested|advised
        |suggesting)\b[\s:-]+(?!that\s+there)(?:[^.]*\b{_PROCEDURE}\b)?.*
    | (?:consider|obtain|repeat(?!\s+\w+\s+(?:shows?|demonstrat|reveal))|perform|order|correlat(?:e
        |ion)\s+(?=clinical|with|to|for|for|if|as|is|recomm|sugg|advis))\b(?=[^.]*\b(?:{_PROCEDURE}
        |clinical\w*|history|symptom\w*|physical|patient\w*|labor\w*|tenderness|pain|images?|oblique
        |decubitus)\b)[^.]*
    | (?:close\s+|continued\s+|interval\s+|short[\s-](?:term|interval)\s+|radiographic\s+|clinical\s+
        |imaging\s+)*(?:follow(?:-|\s)?ups?)\b(?!\s+(?:shows|demonstrates|reveals|study\s+shows))[^.]*
    | (?:(?:an?|the|any|some|this|these|it|they|that|further|additional|dedicated|clinical|repeat|short
        |term|interval|close|chest|pa|ap|and|or|/|lateral|lordotic|apical|oblique|decubitus|upright
        |inspiratory|expiratory|frontal|non-?contrast\w*|contrast\w*|enhanced|without|with|low|dose|high
        |resolution|thin|section|of|the|thorax|thoracic|cardiac|abdom\w*|rib|spine|neck|repeat|nonemerg\w+
        |non-emerg\w+|outpatient|cross-?sectional|continued|direct|correlative|comparison|old|prior
        |prior\(?s\)?|outside|previous|serial|elective|diagnostic|conventional|two|2|better|more|left|right
        |bone|skeletal|x{{3,}}|finding|findings|area|lesion|nodule|opacity
        |{_PROCEDURE})[\s,-]+){{0,10}}{_PROCEDURE}\b[^.;]*?\b(?:is|are|be|should|may|would|could|can|might|will
        |as)\b[^.;]*?\b{_ADVISED}\b.*
    | (?:close\s+|special\s+|further\s+)?attention\s+(?:to\s+this\s+\w+\s+)?(?:on|at|in
        |to)\s+[^.]*\bfollow(?:-|\s)?ups?\b.*
    | (?:clinical|radiographic)\s+correlation\s+(?:is\s+)?\w+ed\b.*
    | (?:clinical\s+|radiographic\s+)?(?:correlation|follow(?:-|\s)?up|evaluation)\s*(?:with\b[^.]*|\W*)
    | (?:this|these|it)\b[^.;]*\b(?:(?:can|could|may|might|should)\s+be\s+(?:further\s+|better\s+
        |more\s+fully\s+)?(?:evaluated|assessed|followed|characterized|correlated|confirmed
        |investigated))\b.*
    | (?:an?\s+)?x{{3,}}(?:\s+x{{3,}})*\s+(?:is|are|may\s+be|would\s+be)\s+(?:recommended|needed|helpful
        |suggested|useful)\b.*
    | (?:if|when)\b[^.]*\b(?:{_ADVISED}|discuss|follow(?:ed|-?\s?up)|evaluated|assessed)\b.*
    )
"""

_TAKEN = (
    "pa ap lateral lat lateral's frontal posteroanterior anteroposterior postero-anterior "
    "antero-posterior upright erect supine semi "
    "semiupright semi-upright semierect semi-erect semisupine sitting seated recumbent decubitus lordotic "
    "portable bedside "
    "mobile single one two three four 1 2 3 4 view views projection projections radiograph radiographs "
    "radiographic "
    "radiography x-ray x-rays xray xrays ray rays x film films image images imaging chest thorax study "
    "studies exam "
    "examination examinations exams were was are is been has have be obtained provided submitted "
    "performed taken "
    "acquired reviewed presented received available made done digital standard conventional technique "
    "position "
    "positioning of the a an and in with for to on at from by this these there as patient compared "
    "comparison comparisons "
    "comparable prior priors previous dated date hours hrs hr time am pm a.m p.m interpretation review "
    "evaluation additional repeat "
    "obtaining performing no none not or other earlier same day since relevant any outside old today "
    "yesterday "
    "including labelled labeled radiographs: provided. submitted. year old male female y/o inspiration "
    "expiration "
    "consists consist total using rx torax proyecciones proyeccion se realiza anteroposterior "
    "posteroanterior y de del "
    "cxr xr dx portably upright, series number performed, were: ct most recent only direct correlation "
    "however evaluate assess stability apical oblique view immediately next preceding similar analysis"
)
_ANCHORS = frozenset(
    [
        "view",
        "views",
        "projection",
        "projections",
        "radiograph",
        "radiographs",
        "x-ray",
        "x-rays",
        "xray",
        "film",
        "films",
        "image",
        "images",
        "chest",
        "study",
        "studies",
        "exam",
        "examination",
        "comparison",
        "comparisons",
        "technique",
        "priors",
        "prior",
        "rx",
        "cxr",
        "ray",
        "rays",
    ]
)
_WORD = re.compile(r"[A-Za-z][A-Za-z'./-]*[A-Za-z]|[A-Za-z]|\d+")
_MONTHS = (
    "january february march april may june july august september october november december jan feb mar "
    "apr jun jul aug sep sept oct nov dec"
)


@cache
def _taken() -> frozenset[str]:
    return frozenset(_TAKEN.split()) | frozenset(_MONTHS.split())


@cache
def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\W*(?:{pattern})\W*", re.IGNORECASE | re.VERBOSE | re.DOTALL)


def is_boilerplate(sentence: str) -> bool:
    """Whether a sentence says nothing of the film, so that nothing may be drafted from it.

    Notices of who dictated, signed, reviewed or was told; what views were taken and what there is to
    compare with; recommendations; "None.", "As above."; a label alone; a text of marks ("XXXX", "___").
    One that also tells what is seen ("Nodule, recommend CT") is not, nor is one on the film's quality.
    """
    sentence = sentence[:_READ]
    return is_closing(sentence) or _is_empty(sentence) or is_technique(sentence) or is_advice(sentence)


def is_closing(sentence: str) -> bool:
    """Whether a sentence is a notice of who dictated, signed, reviewed, or was told what and when."""
    return _whole(_CLOSING).fullmatch(sentence[:_READ]) is not None


def is_advice(sentence: str) -> bool:
    """Whether a sentence says what to do next and nothing else."""
    return _whole(_ADVICE).fullmatch(sentence[:_READ]) is not None


def is_technique(sentence: str) -> bool:
    """Whether a sentence only names the views taken, or what they are compared with."""
    words = [word.casefold() for word in _WORD.findall(sentence)]
    parts = [part for word in words for part in ([word] if word in _taken() else re.split(r"[-/]", word))]
    if not any(part in _ANCHORS for part in parts):
        return False
    return all(part in _taken() or part.isdigit() or not part.strip("x_'.") for part in parts)


def _is_empty(sentence: str) -> bool:
    letters = sentence.replace("XXXX", "").replace("xxxx", "")
    if not any(map(str.isalpha, letters)):
        return True
    return _whole(_NOTHING).fullmatch(sentence) is not None


_ELSEWHERE = re.compile(
    r"""
    \bas\s+(?:\w+ly\s+)?(?:described|detailed|mentioned|noted|discussed|stated|listed|outlined|reported)\b
    | \b(?:above|below)\s*(?:[.,;:)]|\Z) | \b(?:as|see|per)\s+(?:above|below)\b
    | \b(?:the\s+|\A)(?:above|below)\s+(?:\w+\s+)?(?:findings?|impressions?|descriptions?|reports?)\b
    | \b(?:above|below|afore)[\s-]?(?:mentioned|described|noted|listed)\b | \bdescribed\s+(?:above|below)\b
    | \b(?:see|refer\s+to|per)\s+(?:the\s+)?(?:\w+\s+){0,2}?
        (?:impressions?|findings|sections?|comments?|discussion|reports?|dictations?|addend(?:um|a)
        |notes?)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def points_elsewhere(sentence: str) -> bool:
    """Whether a sentence leans on something said elsewhere, as does "Lines and devices as above".

    Quoted alone it says less than it did, or nothing. A place in the body ("4 cm above the carina",
    "extends below the diaphragm") points nowhere else.
    """
    return _ELSEWHERE.search(sentence) is not None


_HOLDS_NOTICE = re.compile(
    r"""
    \b(?:discuss(?:ed|ion)\s+(?:\w+\W+){0,5}?with|d/w|communicated|conveyed\s+to|relayed|telephoned?|phoned?
        |paged|e-?mailed|notif(?:ied|ication|y)|informed|dashboard|voicemail|dictat(?:ed|ion)|transcribed)\b
    | \b(?<!so-)(?<!so\s)called\s+(?:(?:in|back)\s+)?(?:to|at)\b
    | \breported\s+to\s+(?!be\b|have\b)
    | \bdiscussed\s+(?:by|at|via|on|over|in\s+person)\b
    | \b(?:is|are|was|were|been|made)\s+(?:\w+\s+)?aware\b | (?-i:\b(?:Dr|MD|team))\b\W*\w*\W+aware\b
    | \b(?:page|message)\s+(?:was|has|is|left|sent|placed|to)\b
    | \b(?:wet\s+read|preliminary\s+(?:report|read|interpretation)|critical\s+(?:results?|findings?))\b
    | \bpersonally\s+(?:reviewed|viewed|interpreted)\b | \b(?:electronically|digitally)\s+signed\b
    | (?-i:\bDrs?\b\.?\s*(?:[A-Z]|_{2}|XX)|\bDRS?\.\s*(?:[A-Z]|_{2}))
    | \bat\s+(?:approximately\s+)?\d{1,2}(?::\d\d)?\s*[ap]\.?m\b | \b\d{1,2}:\d\d(?:\s*[ap]\.?m)?\b
    | \b(?:residents?|registrars?|nurs(?:es?|ing)|physicians?|clinicians?|surgeons?|teams?|wards?|doctors?
        |providers?|consultants?|interns?|referrers?|radiologists?|staff)\b  # no film shows one
    | (?-i:\b(?:ICU|ED|ER|RN|SpR|SHO)\b)
    | \b(?:texted|faxed|contacted|acknowledged|bleeped|alert\s+sent|verbal\w*|read\s+back|called\s+in
        |conveyed|flagged|addend\w+|brought\s+to)\b
    | \b(?:urgent|critical|unexpected)\s+(?:findings?|results?)\b | \b(?:ct\w*|mri)\s+suggested\b
    | \breported\s+\w+ly\s+to\b
    | \bgiven\s+to\s+(?:the\s+)?(?:drs?|rn|nurse|team|physician|ward|clinician)\b
    | \b(?:recommend\w*|advised?|please|should\s+be\s+\w+ed)\b
    | \bfollow(?:-|\s)?up\s+(?:to|until|in|with|for)\b
    | \b(?:consider|needs?|warrants?|requires?|merits?|repeat|follow(?:-|\s)?up|further)\s+(?:\w+\s+){0,4}?
        (?:cta?|mri?|ultrasound|imaging|biopsy|bronchoscopy|evaluation|work-?up|views?|films?|radiographs?
        |radiography|x-?rays?|scan\w*|follow(?:-|\s)?up)\b
    | \bsuggest\s+(?:follow|repeat|ct|mri|clinical|correlat|further|dedicated)\w*
    | \b(?:correlate|correlation|follow-?\s?up|evaluation|ct|radiographs?|views?|imaging)\s+(?:\w+\s+){0,6}?
        (?:suggested|advised|warranted|indicated|needed|requested)\b
    | \bcorrelate\s+(?:clinically|with)\b | \bclinical(?:ly)?\s+correlat\w+
    | \A\W*(?:evaluat(?:e|ion)|assess(?:ment)?|eval|rule\s+out|r/o|check|query)\s+(?:for\s+)?\b
    """,
    re.IGNORECASE | re.VERBOSE,
)

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|(?-i:M(?:ar(?:ch)?|ARCH))|apr(?:il)?|(?-i:May|MAY)|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_OF_ONE_PATIENT = re.compile(
    rf"""
    \b(?:years?|yrs?|months?|mos?|weeks?|wks?|days?)[\s-]*olds?\b | \b(?:\d{{2,3}}|_{{2,}}|x{{3,}})\s*-?\s*
        (?:y\.?/?o\b|yrs?\b|(?-i:[MF])\b(?!\.\w)) | \baged?\s+(?:of\s+)?\d | \by/o\b | \b\w+genarian\b
    | (?<![\d/.-])\d{{1,2}}([/.-])\d{{1,2}}\1\d{{2}}(?:\d\d)?(?![\d/])
    | \b(?:19|20)\d\d[/.-]\d{{1,2}}[/.-]\d{{1,2}}\b
    | \b(?:on|of|from|since|dated|until|through)\s+(?:\d{{1,2}}/\d{{1,2}}|(?:19|20)\d\d)\b(?!\s*[cm]m)
    | \b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}\b | \b{_MONTH}\.?\s+(?:of\s+)?\d{{1,4}}\b(?!\s*[cm]m)
    | \b(?:on|in|since|from|of|last)\s+{_MONTH}\b
    | \b[0-2]?\d[:.]?[0-5]\d\s*(?:hours|hrs|h)\b | \b(?:at|@)\s*[0-2]\d[0-5]\d\b(?!\s*[cm]m) | \bo'clock\b
    | \b\d{{1,2}}(?:[:.]\d\d)?\s*[ap]\.?m\b
    | (?-i:\b(?:Mr|Mrs|Ms|Miss|Mister|Madam|Prof|Professor|Doctor|Herr|Frau|Mme)\b\.?\s*(?:[A-Z]|_{{2}})
        |\b(?:MRS|MISS)\b\.?\s*(?:[A-Z]|_{{2}})|\b(?:MR|MS|PROF)\.\s*(?:[A-Z]|_{{2}}))
    | \bstatus[\s-]+post\b | \bs/p\b | \bhistory\b | \bh/o\b | \bhx\b | \bdiagnosed\s+with\b
    | \bpresent(?:s|ed|ing)\s+with\b | \bcomplain\w*\s+of\b
    | \bin\s+(?:this|that|an?|the)\s+(?:(?!effusion|opacit)[\w/'-]+\s+){{0,5}}?(?:patient|male|female|man
        |woman|boy|girl|lady|gentleman|infant|child|neonate|newborn|smoker|[mf])\b(?!'s|\s+(?:position|rotat))
    | \b(?:patient|male|female|man|woman|boy|girl|lady|gentleman)\s+(?:with|who|whose)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""An age, a day, an hour, a name after a title, what happened before: true of one patient."""


def stands_alone(sentence: str) -> bool:
    """Whether a sentence speaks of its film alone, so that it may be quoted of another.

    Boilerplate doesn't, nor what leans on something said elsewhere, nor a finding told within a notice or
    with advice ("Pneumothorax, discussed with Dr. A at 3 pm.", "Nodule, recommend CT."): who was told, when,
    and what that patient needs is true of one study; so is an age, a date, a name after a title and a history
    ("Sternotomy wires, status post CABG."). A name without a title passes. Comparison with a prior
    is another question.
    """
    if _HOLDS_NOTICE.search(sentence) or _OF_ONE_PATIENT.search(sentence) or points_elsewhere(sentence):
        return False
    return not is_boilerplate(sentence)
