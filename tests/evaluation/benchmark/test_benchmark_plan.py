"""What a benchmark plans to run: who shares whose encoder, what is left out, what is refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from xemplar.errors import XemplarError
from xemplar.evaluation.benchmark.plan import (
    FLOORS,
    BenchmarkSettings,
    Entry,
    changed,
    make_plan,
    recipe_of,
)
from xemplar.models.layout import model_folder
from xemplar.training.recipe import load_recipe


@pytest.fixture(scope="module")
def plan():
    return make_plan(BenchmarkSettings())


def test_every_entry_has_a_name_of_its_own_that_is_a_folders(plan):
    names = [entry.name for entry in plan.entries]
    assert len(set(names)) == len(names)
    assert all(name == name.replace("/", "").replace(" ", "") for name in names)


def test_the_five_are_run_with_three_seeds_each(plan):
    assert plan.recipes == ("txtrayalign", "medclip_medpix", "xrem", "xtra", "xemplar")
    assert [entry.seed for entry in plan.of("xtra")] == [1, 2, 3]
    assert [recipe_of(entry).training.seed for entry in plan.of("xrem")] == [1, 2, 3]


def test_who_shares_an_encoder_comes_after_it_and_has_its_seed(plan):
    place = {entry.name: number for number, entry in enumerate(plan.entries)}
    sharing = [entry for entry in plan.entries if entry.shares]
    assert len(sharing) > 10
    assert all(place[entry.shares] < place[entry.name] for entry in sharing)
    assert all(plan.entry(entry.shares).seed == entry.seed for entry in sharing)


def test_an_entry_that_changes_training_cannot_share():
    with pytest.raises(ValidationError, match=r"objective.classes is changed"):
        Entry(name="x", system="x", recipe="xtra", changes={"objective.classes": 0.0}, shares="xtra-1")


def test_which_stages_are_trained_again(plan):
    again = {entry.system: entry.retrains for entry in plan.entries if entry.shares}
    assert again["xtra: random neighbours"] == ("neighbours",)
    assert again["xrem: cosine alone"] == ()


def test_the_head_looks_at_as_many_as_the_assembly_says_and_is_taught_so():
    entry = Entry(name="x", system="x", recipe="xtra", changes={"assembly.neighbours": 3}, shares="xtra-1")
    assert entry.retrains == ("neighbours",)


def test_another_linear_space_is_another_encoder(plan):
    homes = {entry.system: entry.home for entry in plan.entries if entry.seed == 1}
    assert homes["xrem: cosine alone"] == "xrem-1"
    entry = Entry(name="x-1", system="x", recipe="xemplar", changes={"linear": None}, shares="xemplar-1")
    assert entry.home == "x-1"


def test_every_question_names_systems_that_are_run(plan):
    systems = {entry.system for entry in plan.entries}
    assert len(plan.ablations) > 10
    assert {one.first for one in plan.ablations} | {one.second for one in plan.ablations} <= systems


def test_what_a_question_is_about_comes_first(plan):
    known = {one.question: (one.first, one.second) for one in plan.ablations}
    assert known["xrem: ITM above cosine alone"] == ("xrem: cosine + ITM", "xrem: cosine alone")
    assert known["xtra: class supervision"] == ("xtra", "xtra: without classes")


def test_the_learning_curve_takes_shares_of_patients(plan):
    parts = {entry.part for entry in plan.entries if entry.recipe == "xemplar"}
    assert parts == {0.05, 0.2, 1.0}


def test_a_recipe_that_is_edited_later_changes_no_plan(plan):
    entry = plan.of("xtra: without classes")[0]
    assert recipe_of(entry).objective.classes == 0.0
    assert "# laid over it: objective.classes = 0.0" in entry.text


def test_without_ablations_only_mains_and_floors_are_run():
    plain = make_plan(BenchmarkSettings(ablations=False, seeds=(4,)))
    assert [entry.name for entry in plain.entries] == [FLOORS, *(f"{name}-4" for name in plain.recipes)]


def test_captions_have_another_recipe_for_ours():
    plan = make_plan(BenchmarkSettings(), texts="captions")
    assert plan.ours == "captions"
    assert {entry.system for entry in plan.entries if entry.part < 1} == {
        "captions: 5% of patients", "captions: 20% of patients",
    }  # fmt: skip


def test_captions_claim_nothing_that_negatives_could_be_mined_by():
    plan = make_plan(BenchmarkSettings(), texts="captions")
    assert recipe_of(plan.of("xrem")[0]).matching.negatives == "random"
    assert "xrem: random negatives" not in {entry.system for entry in plan.entries}
    assert "claim nothing" in plan.left_out["xrem: negatives mined by labels"]


def test_a_corpus_without_pairs_trains_nothing(tmp_path):
    plain = make_plan(BenchmarkSettings(models={"theirs": tmp_path}), trains=False)
    assert [entry.name for entry in plain.entries] == [FLOORS, "theirs"]


def test_an_unknown_recipe_is_refused():
    with pytest.raises(XemplarError, match="no recipe 'xray'"):
        make_plan(BenchmarkSettings(recipes=("xray",)))


def test_an_unknown_table_of_a_recipe_is_refused():
    recipe, _ = load_recipe("txtrayalign")
    with pytest.raises(XemplarError, match=r"has no \[neighbours\]"):
        changed(recipe, {"neighbours.pick": "random"})


def test_an_unknown_key_of_a_recipe_is_refused():
    recipe, _ = load_recipe("txtrayalign")
    with pytest.raises(XemplarError, match=r"objective\.teachers: Extra inputs"):
        changed(recipe, {"objective.teachers": 1.0})


NONSENSE = [
    ({"seeds": ()}, "one at least"),
    ({"seeds": (1, 1)}, "each once"),
    ({"shares": (1.5,)}, "between 0 and 1"),
    ({"models": {"xrem": "x"}}, "a recipe's name"),
    ({"models": {"xrem: cosine alone": "x"}}, "a recipe's name"),
    ({"models": {"captions": "x"}}, "a recipe's name"),
    ({"recipes": ("mine/new.toml",), "models": {"new": "x"}}, "a recipe's name"),
    ({"models": {"chance": "x"}}, "a floor's name"),
    ({"models": {"linear floor": "x"}}, "a floor's name"),
    ({"models": {"../out": "x"}}, "a folder can have"),
    ({"size": "huge"}, "Input should be"),
]


@pytest.mark.parametrize(("values", "said"), NONSENSE)
def test_settings_that_make_no_sense_are_refused(values, said):
    with pytest.raises(ValidationError, match=said):
        BenchmarkSettings.model_validate(values)


def test_a_plan_without_ours_is_refused_unless_others_are_named(monkeypatch):
    def without(name, size="tiny"):
        if name == "xemplar":
            raise XemplarError("no size 'published'")
        return load_recipe(name, size)

    monkeypatch.setattr("xemplar.evaluation.benchmark.plan.load_recipe", without)
    with pytest.raises(XemplarError, match=r"ours, xemplar, can't be run: .*; .*--recipes"):
        make_plan(BenchmarkSettings(ablations=False))
    others = make_plan(BenchmarkSettings(recipes=("xrem",), ablations=False))
    assert others.recipes == ("xrem",)


def test_a_model_is_not_named_as_an_entry_is(tmp_path):
    with pytest.raises(XemplarError, match="'xrem-1', which an entry"):
        make_plan(BenchmarkSettings(models={"xrem-1": tmp_path}))


def test_a_model_that_is_not_there_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(XemplarError, match="no such folder"):
        make_plan(BenchmarkSettings(models={"theirs": tmp_path / "none"}))


def test_the_provided_model_is_taken_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = make_plan(BenchmarkSettings(models={"theirs": "phantom"}), trains=False)
    assert plan.entry("theirs").model == model_folder(Path("phantom")).resolve()
