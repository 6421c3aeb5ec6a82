"""Verdicts: what the table holds reports to is what their sentences are shown to say, kind by kind."""

import pytest

from handmade import arrival, corpus_of
from xemplar.records import Study
from xemplar.retrieval import read_query
from xemplar.retrieval.answered import SAYS, evidence
from xemplar.retrieval.asked import Asked, Term
from xemplar.retrieval.by_sentences import SentenceTable
from xemplar.retrieval.kinds import every, kinds_asked, told
from xemplar.retrieval.verdicts import Verdict

REPORTS = [
    "Small right pleural effusion. No left pleural effusion.",
    "Left pleural effusion. Small right effusion.",
    "Small bilateral effusions.",
    "Pleural effusion. Possible pneumothorax.",
    "Possible left pleural effusion.",
    "Possible effusion. Large left pleural effusion.",
    "No pleural effusion. The lungs are clear.",
    "Left chest tube in place. No pneumothorax.",
    "No chest tube; pacemaker in place.",
    "Endotracheal tube and right PICC in place.",
    "There are tubes and lines in place.",
    "Old right rib fracture. No clavicle fracture.",
    "Fracture of the left clavicle.",
    "Old fracture.",
    "Apical scarring. No infiltrate.",
    "Right lower lobe opacity.",
    "Left upper lobe nodule. No mass.",
    "There is a defibrillator with its leads in the heart.",
    "Heart size is normal.",
]
QUERIES = [
    *("left effusion", "bilateral effusion", "small right effusion", "possible effusion", "effusion"),
    *("no left effusion", "no bilateral effusion", "effusion, no large effusion", "no effusion"),
    *("right effusion without left effusion", "chest tube", "no chest tube", "pacemaker", "no pacemaker"),
    *(
        "central line",
        "no central venous catheter",
        "tube",
        "clavicle fracture",
        "no rib fracture",
        "scarring",
    ),
    *("no infiltrate", "left upper lobe mass", "no nodule or mass", "opacity", "normal chest", "no fracture"),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    arrivals = [arrival(n, patient=f"p{n}", findings=text) for n, text in enumerate(REPORTS)]
    return corpus_of(arrivals, tmp_path_factory.mktemp("verdicts"))


@pytest.fixture(scope="module")
def table(corpus):
    return SentenceTable(corpus.sentences, [study.study_id for study in corpus.studies])


def is_told(says, verdict):
    """Whether what is shown is a verdict's words."""
    if verdict == Verdict.OTHER:
        return says.startswith("another ")
    return says.endswith(" not said") if verdict == Verdict.LOOSE else says == SAYS[verdict]


@pytest.mark.parametrize("query", QUERIES)
def test_a_report_is_shown_to_say_what_it_is_held_to(corpus, table, query):
    asked = read_query(query)
    for place, term in enumerate((*asked.wanted, *asked.unwanted)):
        verdicts = table.verdicts(term, kinds_asked(asked, term))
        for study, verdict in zip(corpus.studies, verdicts, strict=True):
            shown = evidence(study, asked)[place]
            assert is_told(shown.says, Verdict(int(verdict))), (study.text, shown)
            assert shown.wanted == (place < len(asked.wanted))


def said(query, report):
    study = Study(study_id="s", patient_id="p", domain="synthetic", findings=report)
    return evidence(study, read_query(query))[-1].says


@pytest.mark.parametrize(
    ("query", "report", "says"),
    [
        ("left effusion", "Moderate right pleural effusion.", "another side"),
        ("left effusion", "Pleural effusion.", "side not said"),
        ("no left effusion", "Small right effusion.", "another side"),
        ("no left effusion", "Small right effusion. No left effusion.", "denied"),
        ("no left effusion", "Right effusion.", "another side"),
        ("no large effusion", "Small right effusion.", "another degree"),
        ("right upper lobe nodule", "Nodule in the right lower lobe.", "another place"),
        ("bilateral effusion", "Left effusion. Right effusion.", "stated"),
        ("bilateral effusion", "Left effusion. No right effusion.", "denied"),
        ("chest tube", "There is a cardiac pacemaker with two leads.", "another kind"),
        ("chest tube", "Left thoracostomy tube in place.", "stated"),
        ("chest tube", "There are tubes in place.", "kind not said"),
        ("chest tube", "No chest tube; pacemaker in place.", "denied"),
        ("no pacemaker", "No chest tube; pacemaker in place.", "stated"),
        ("no pacemaker", "Endotracheal tube and pacer in place.", "stated"),
        ("central venous catheter", "Right PICC in place.", "stated"),
        ("clavicle fracture", "Fracture of the left clavicle.", "stated"),
        ("clavicle fracture", "Old rib fracture.", "another kind"),
        ("clavicle fracture", "No fracture.", "denied"),
        ("fracture of the clavicle", "Old rib fracture.", "another kind"),
        ("scarring", "Right basilar opacity.", "another kind"),
        ("mass", "Left lung nodule.", "another kind"),
        ("effusion", "Empyema.", "stated"),
        ("empyema", "Left effusion.", "kind not said"),
        ("effusion or pneumothorax", "No effusion. There is a left pneumothorax.", "stated"),
        ("effusion or pneumothorax", "No effusion. The heart is enlarged.", "unmentioned"),
        ("effusion or pneumothorax", "No effusion. No pneumothorax.", "denied"),
        ("left effusion or right pneumothorax", "There is a right effusion.", "another side"),
        ("possible effusion", "Possible effusion.", "uncertain"),
        ("possible effusion", "Possible effusion. Left effusion.", "stated"),
    ],
)
def test_what_a_report_says_of_a_term(query, report, says):
    assert said(query, report) == says


def test_doubt_that_is_asked_for_is_met_by_doubt_alone(corpus, table):
    term = read_query("possible effusion").wanted[0]
    met = [study.text for study, one in zip(corpus.studies, table.met(term), strict=True) if one]
    assert met == [REPORTS[4]]
    ranked = dict(zip((study.text for study in corpus.studies), table.says(term).status, strict=True))
    assert ranked[REPORTS[4]] > ranked[REPORTS[1]] > ranked[REPORTS[18]] > ranked[REPORTS[6]]


def test_a_report_without_any_finding_is_out_where_normal_is_not_to_be(corpus, table):
    excluded = table.excluded(Term("No Finding"))
    assert [study.text for study, one in zip(corpus.studies, excluded, strict=True) if one == 3] == [
        REPORTS[6],
        REPORTS[18],
    ]


def test_a_term_shows_its_kind_and_one_changed_by_hand_is_taken_at_its_words():
    asked = read_query("fracture of the left clavicle")
    assert told(asked, asked.wanted[0]) == "Fracture (left) [clavicle]"
    widened = Asked(asked.text, wanted=(Term("Fracture", span=asked.wanted[0].span),))
    assert kinds_asked(widened, widened.wanted[0]) == frozenset()
    narrowed = Asked("", wanted=(Term("Fracture", words=("rib",)),))
    assert kinds_asked(narrowed, narrowed.wanted[0]) == {"rib"}


def test_kinds_include_known_ones_alone():
    for finding, kinds in every().items():
        assert set().union(*kinds.includes.values()) == set(kinds.includes), finding
