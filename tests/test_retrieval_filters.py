"""Age, sex, view and named facets: how they are said, and who has them."""

import pytest

from xemplar.errors import XemplarError
from xemplar.records import Study, View
from xemplar.retrieval.filters import Facets, Filter, filters_in, named


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


@pytest.mark.parametrize(
    "text", ["effusion over 3 cm", "nodule over 30 mm", "more than 3 nodules", "T10 fracture"]
)
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
