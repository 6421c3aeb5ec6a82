"""RadGraph F1 against the package radgraph's own numbers, and by hand."""

import json

import pytest

from xemplar.errors import MismatchError, XemplarError
from xemplar.metrics.radgraph import radgraph_f1, radgraph_scores


def _entity(tokens, label, *relations):
    return {"tokens": tokens, "label": label, "start_ix": 0, "end_ix": 0, "relations": list(relations)}


EFFUSION = {
    "1": _entity("Left", "ANAT-DP", ["modify", "2"]),
    "2": _entity("pleural", "ANAT-DP"),
    "3": _entity("effusion", "OBS-DP", ["located_at", "2"]),
}
RIGHT = {**EFFUSION, "1": _entity("right", "ANAT-DP", ["modify", "2"])}


@pytest.mark.shared
def test_every_pair_agrees_exactly(golden):
    case = json.loads((golden / "radgraph" / "f1radgraph_synthetic_golden.json").read_text())
    graphs = case["graphs"]
    for pair in case["pairs"]:
        found = radgraph_f1(graphs[pair["hyp"]], graphs[pair["ref"]])
        assert (found.simple, found.partial, found.complete) == (
            pair["simple"],
            pair["partial"],
            pair["complete"],
        )
        assert (found.entity, found.relation, found.combined) == (
            pair["radcliq_entity_f1"],
            pair["radcliq_relation_f1"],
            pair["radgraph_combined"],
        )


def test_one_side_differs_by_hand():
    found = radgraph_f1(RIGHT, EFFUSION)
    assert (found.simple, found.partial, found.complete) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert (found.entity, found.relation, found.combined) == pytest.approx((2 / 3, 1 / 2, 7 / 12))


def test_a_relation_more_breaks_partial_and_complete_only():
    alone = {**EFFUSION, "1": _entity("Left", "ANAT-DP")}
    found = radgraph_f1(alone, EFFUSION)
    assert (found.simple, found.partial) == (1.0, pytest.approx(2 / 3))
    assert found.complete == pytest.approx(2 / 3)


def test_a_relation_of_radcliq_knows_its_targets_label():
    other = {**EFFUSION, "2": _entity("pleural", "OBS-DP")}
    found = radgraph_f1(other, EFFUSION)
    assert found.complete == pytest.approx(2 / 3)
    assert found.relation == 0.0


def test_letter_case_counts_but_for_tokens_of_a_relation():
    lower = {**EFFUSION, "1": _entity("left", "ANAT-DP", ["modify", "2"])}
    found = radgraph_f1(lower, EFFUSION)
    assert found.complete == 1.0
    assert found.simple == found.partial == found.entity == pytest.approx(2 / 3)
    assert found.relation == 0.5
    alone = {"1": _entity("Left", "ANAT-DP")}, {"1": _entity("left", "ANAT-DP")}
    assert radgraph_f1(*alone).complete == 0.0


def test_nothing_agrees_with_nothing_is_0_and_counted():
    found = radgraph_scores([{}, EFFUSION, EFFUSION], [{}, {}, EFFUSION])
    assert found.partial.tolist() == [0.0, 0.0, 1.0]
    assert found.empty == 2


def test_the_written_form_of_inference_is_read():
    written = {"text": "left pleural effusion", "entities": EFFUSION, "data_source": None}
    assert radgraph_f1(written, EFFUSION).complete == 1.0


def test_two_label_schemes_are_refused():
    other = {"1": _entity("effusion", "Observation::definitely present")}
    with pytest.raises(MismatchError, match="RadGraph-XL"):
        radgraph_scores([EFFUSION], [other])
    assert radgraph_scores([other], [other]).scheme == "RadGraph-XL"


def test_no_entity_has_no_scheme():
    assert radgraph_scores([{}], [{}]).scheme == "none"


def test_unequal_numbers_are_refused():
    with pytest.raises(MismatchError, match="1 predictions for 0 references"):
        radgraph_scores([EFFUSION], [])


@pytest.mark.parametrize(
    "entity",
    [
        {"tokens": "effusion"},
        {"tokens": None, "label": "OBS-DP", "relations": []},
        {"tokens": "effusion", "label": "OBS-DP", "relations": [["modify", "9"]]},
        {"tokens": "effusion", "label": "OBS-DP", "relations": ["modify"]},
        {"tokens": "effusion", "label": "OBS-DP", "relations": [["modify", ["7"]]]},
        "effusion",
    ],
)
def test_a_broken_entity_is_located_and_not_quoted(entity):
    with pytest.raises(XemplarError, match="entity 7: an entity that can't be read") as error:
        radgraph_f1({"7": entity}, EFFUSION)
    assert "effusion" not in str(error.value)


def test_no_annotation_is_refused():
    with pytest.raises(XemplarError, match="annotation of type list"):
        radgraph_f1([], EFFUSION)
