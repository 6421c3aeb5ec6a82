"""To which side findings lean, by an archive of drawn films."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xemplar.archive import Archive, leaning
from xemplar.archive.leaning import leanings
from xemplar.drafting.policies.evidence import ByEvidence
from xemplar.records import Film


def lean(archive: Archive, *studies: list[Film]) -> list[dict[str, float]]:
    drafter = archive.drafter
    assert isinstance(drafter, ByEvidence)
    cases = archive.cases(studies, archive.retriever.vectors_of(studies))
    return [dict(one) for one in leanings(archive.retriever, drafter, cases)]


@pytest.fixture
def frontal(queries: list[list[Film]]) -> Film:
    return next(film for films in queries for film in films if film.position != "lateral")


def test_a_mirrored_film_leans_the_other_way(drawn: Archive, frontal: Film) -> None:
    mirrored = replace(frontal, image=np.ascontiguousarray(np.fliplr(frontal.image)))
    (one,), (other,) = lean(drawn, [frontal]), lean(drawn, [mirrored])
    assert any(abs(value) > 1e-3 for value in one.values())
    assert other == pytest.approx({name: -value for name, value in one.items()}, abs=1e-5)


def test_a_film_that_is_alike_on_both_sides_leans_to_none(drawn: Archive, frontal: Film) -> None:
    even = replace(frontal, image=np.ascontiguousarray((frontal.image + np.fliplr(frontal.image)) / 2))
    (one,) = lean(drawn, [even])
    assert one == pytest.approx(dict.fromkeys(one, 0.0), abs=1e-5)


def test_a_lateral_film_has_no_side(drawn: Archive, frontal: Film) -> None:
    lateral = replace(frontal, position="lateral")
    assert lean(drawn, [lateral]) == [{}]
    assert lean(drawn, [frontal, lateral]) == lean(drawn, [frontal])


def test_it_is_the_same_whatever_is_asked_together(drawn: Archive, queries: list[list[Film]]) -> None:
    some = queries[:4]
    for together, (alone,) in zip(lean(drawn, *some), (lean(drawn, one) for one in some), strict=True):
        assert together == pytest.approx(alone, abs=1e-6)


def test_it_is_the_same_in_parts(
    drawn: Archive, queries: list[list[Film]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lean(drawn, *queries[:3])
    monkeypatch.setattr(leaning, "_AT_ONCE", 2)
    for one, other in zip(whole, lean(drawn, *queries[:3]), strict=True):
        assert other == pytest.approx(one, abs=1e-6)
