"""An objective asks for nothing that its alignment takes no notice of."""

import pytest
from pydantic import ValidationError

from xemplar.errors import XemplarError
from xemplar.training.recipe import Objective, load_recipe


@pytest.mark.parametrize(
    ("alignment", "asked", "said"),
    [
        ("sigmoid", {"rarity": 0.5}, 'rarity weighs targets of "info_nce" alone, not of "sigmoid"'),
        ("soft_targets", {"rarity": 0.5}, 'not of "soft_targets"'),
        ("as_medclip", {"rarity": 0.5}, 'not of "as_medclip"'),
        ("soft_targets", {"flips": 1}, "own text: no flips"),
        ("as_medclip", {"flips": 1}, "own text: no flips"),
        ("soft_targets", {"positives": "claims"}, 'own text: no positives = "claims"'),
        ("as_medclip", {"positives": "claims"}, 'own text: no positives = "claims"'),
    ],
)
def test_what_would_not_be_heard_is_refused(alignment, asked, said):
    with pytest.raises(ValidationError, match=said):
        Objective(alignment=alignment, **asked)


@pytest.mark.parametrize("alignment", ["info_nce", "sigmoid"])
def test_what_is_heard_may_be_asked_for(alignment):
    made = Objective(alignment=alignment, flips=1, positives="claims")
    assert made.flips == 1 and made.positives == "claims"


def test_a_recipe_that_asks_for_it_says_where(tmp_path):
    text = load_recipe("xemplar")[1].replace("[objective]", '[objective]\nalignment = "sigmoid"')
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(XemplarError, match=r"objective: .*rarity weighs targets of"):
        load_recipe(str(tmp_path / "own.toml"))
