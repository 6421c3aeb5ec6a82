"""Age, sex, view and named facets: how they are said, and who has them."""

import pytest

from xemplar.errors import XemplarError
from xemplar.records import Study, View
from xemplar.retrieval.filters import Facets, Filter, named
from xemplar.retrieval.spoken import filters_in, said_in


def study(n, *, views=(), **facets):
    shown = tuple(View(f"{n}-{k}", position=position) for k, position in enumerate(views))
    return Study(str(n), None, "clinical", views=shown, modality="DX", facets=facets)


STUDIES = [
    study(0, age="061Y", sex="F", views=("PA", "LL")),
    study(1, age="60", sex="M", views=("AP",)),
    study(2, age="6M", sex="w", views=("lateral",)),
    study(3, site="b"),
]


def kept(one):
    return Facets(STUDIES).kept(one).tolist()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("effusion over 60", "age from 61"),
        ("effusion, older than 60 years", "age from 61"),
        ("under 18", "age up to 17"),
        ("at least 65 years old", "age from 65"),
        ("between 40 and 60", "age 40 to 60"),
        ("aged 40 to 60", "age 40 to 60"),
        ("45-year-old", "age 45"),
        ("in women", "sex F"),
        ("in a male patient", "sex M"),
        ("on a lateral film", "view lateral"),
        ('site="St Mary" effusion', "site St Mary"),
    ],
)
def test_what_is_said(text, said):
    assert [str(part.filter) for part in filters_in(text)] == [said]


DENIED = [
    ("effusion, not over 60", "age up to 60"),
    ("effusion, no one over 60", "age up to 60"),
    ("nobody under 40", "age from 40"),
    ("over 60 excluded", "age up to 60"),
    ("not 60 to 70 years old", "not age 60 to 70"),
    ("effusion not in men", "not sex M"),
    ("not in men or women", "not sex M or F"),
    ("patients other than women", "not sex F"),
    ("non-female", "not sex F"),
    ("all but men", "not sex M"),
    ("isn't a man", "not sex M"),
    ("effusion in the absence of men", "not sex M"),
    ("effusion devoid of men", "not sex M"),
    ("men excluded", "not sex M"),
    ("effusion, no lateral film", "not view lateral"),
    ("site!=b effusion", "not site b"),
    ("-site=b effusion", "not site b"),
    ("no pneumothorax in men", "sex M"),
    ("no azygos lobe, over 60", "age from 61"),
]
AGES = [
    ("aged 60-70", "age 60 to 70"),
    ("effusion 60-70", "age 60 to 70"),
    ("age > 60", "age from 61"),
    ("age>=60", "age from 60"),
    ("age 60 and effusion", "age 60"),
    ("60 or older", "age from 60"),
    ("65+", "age from 65"),
    ("smokers over 50", "age from 51"),
    ("children under 5", "age up to 4"),
    ("65 years and younger", "age up to 65"),
    ("in their 60s", "age 60 to 69"),
    ("children over 2 years old", "age from 3"),
    ("men or women", "sex M or F"),
    ("pa or lateral views", "view pa or lateral"),
]


@pytest.mark.parametrize(("text", "said"), [*DENIED, *AGES])
def test_a_denial_and_an_age_are_read_as_they_are_meant(text, said):
    assert [str(part.filter) for part in filters_in(text)] == [said]


def test_an_age_and_a_sex_are_said_in_one_word_and_a_catheter_has_neither():
    assert [str(part.filter) for part in filters_in("70F")] == ["age 70", "sex F"]
    assert [str(part.filter) for part in filters_in("frontal and lateral films")] == [
        "view frontal",
        "view lateral",
    ]
    assert filters_in("28F chest tube") == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("not only in women", "unclear whom"),
        ("excluding women over 60", "unclear whom"),
        ("with or without lateral film", "unclear whom"),
        ("no women excluded", "unclear whom"),
        ("excluding edema and women", "unclear whom"),
        ("regardless of men", "unclear whom"),
        ("men: no", "unclear whom"),
        ("men not there, effusion", "unclear whom"),
        ("effusion or over 60", '"or" between age from 61'),
        ("over 60 or under 18", "either age from 61 or age up to 17"),
        ("over 60 and under 18", "no study is both"),
        ("men with women", "no study is both"),
        ("women, not women", "no study is both"),
        ("site=a site=b", "no study is both"),
        ("between 60 and 50", "from 60 to 50"),
        ("200 years old", "an age of 200"),
        ("age=200", "an age of 200"),
    ],
)
def test_filters_that_nobody_can_meet_or_understand_are_refused(text, why):
    with pytest.raises(XemplarError, match=why):
        filters_in(text)


def test_what_is_said_is_found_though_nobody_can_meet_it():
    assert [str(one.filter) for one in said_in("not men with women")] == ["sex M", "sex F"]


LENGTHS_OF_TIME = [
    "nodule stable for 2 years", "smoker for 20 years", "follow up after 5 years", "stable over 2 years",
    "nodule over 2 years", "unchanged over 60 years", "20 pack years", "over 30 years ago", "2 years",
]  # fmt: skip
SIZES = [
    "ribs 10-11", "effusion over 3 cm", "nodule over 30 mm", "more than 3 nodules", "T10 fracture",
    "nodule 10-12 mm",
]  # fmt: skip


@pytest.mark.parametrize("text", [*LENGTHS_OF_TIME, *SIZES])
def test_what_is_no_filter(text):
    assert filters_in(text) == ()


@pytest.mark.parametrize(
    ("one", "who"),
    [
        (Filter("age", low=61), [True, False, False, False]),
        (Filter("age", high=60), [False, True, True, False]),
        (Filter("sex", ("F",)), [True, False, True, False]),
        (Filter("view", ("frontal",)), [True, True, False, False]),
        (Filter("view", ("lateral",)), [True, False, True, False]),
        (Filter("site", ("B",)), [False, False, False, True]),
        (Filter("modality", ("DX",)), [True] * 4),
        (Filter("sex", ("F",), negated=True), [False, True, False, False]),
        (Filter("view", ("lateral",), negated=True), [False, True, False, False]),
        (Filter("age", low=50, high=60, negated=True), [True, False, True, False]),
    ],
)
def test_who_has_it(one, who):
    assert kept(one) == who


def test_an_error_tells_no_value_that_stands_for_a_single_study():
    with pytest.raises(XemplarError) as caught:
        Facets(STUDIES).check(named({"site": "z"})[0], "corpus")
    assert "a value that a study has" in str(caught.value) and "one of b" not in str(caught.value)


def test_a_facet_or_a_value_that_no_study_has_is_refused():
    facets = Facets(STUDIES)
    with pytest.raises(XemplarError, match="no study has the facet ward; wanted one of age, modality, sex"):
        facets.check(named({"ward": "7"})[0], "corpus")
    with pytest.raises(XemplarError, match="no study has sex=X; wanted one of F, M"):
        Facets(STUDIES * 2).check(named({"sex": "X"})[0], "corpus")
    facets.check(named({"age": "50-70"})[0], "corpus")
