"""A recipe says how a model is made, and a mistake in it is told in a line."""

import re
import subprocess
import sys
import tomllib
from importlib import resources

import pytest

from xemplar.errors import XemplarError
from xemplar.models.config import ImageTower
from xemplar.training.recipe import Augmentation, Recipe, load_recipe, shipped_recipes

RECIPES = resources.files("xemplar.training") / "recipes"
SHIPPED = sorted(
    entry.name.removesuffix(".toml") for entry in RECIPES.iterdir() if entry.name.endswith(".toml")
)


def test_the_five_recipes_and_one_for_captions_are_shipped():
    five = {"txtrayalign", "medclip_medpix", "xrem", "xtra", "xemplar"}
    assert set(SHIPPED) == five | {"captions"} == set(shipped_recipes())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_loads_under_its_name(name):
    recipe, text = load_recipe(name)
    assert recipe.name == name
    assert f'name = "{name}"' in text


ALL_SIZES = [
    (name, size)
    for name in SHIPPED
    for size in tomllib.loads((RECIPES / f"{name}.toml").read_text()).get("sizes", ["tiny"])
]


@pytest.mark.parametrize(("name", "size"), ALL_SIZES)
def test_every_size_of_a_recipe_has_room_for_its_longest_text(name, size):
    recipe, _ = load_recipe(name, size)
    assert recipe.size == size
    if recipe.model is not None and recipe.model.text.config is not None:
        assert recipe.model.text.config["max_position_embeddings"] >= recipe.text_tokens


def test_a_size_lies_over_the_rest_and_takes_a_backbone_whole():
    tiny, small = (load_recipe("txtrayalign", size)[0] for size in ("tiny", "small"))
    assert (tiny.model.dim, small.model.dim) == (192, 256)
    assert (tiny.model.temperature, small.model.temperature) == (0.1, 0.07)
    assert tiny.objective == small.objective
    assert small.model.image.config["depths"] == [2, 2, 2, 2]


def test_an_unknown_size_lists_the_known(written):
    with pytest.raises(XemplarError, match="no size 'big'; wanted one of tiny, small, published"):
        load_recipe("txtrayalign", "big")
    with pytest.raises(XemplarError, match="no size 'small'; wanted one of tiny"):
        load_recipe("captions", "small")
    with pytest.raises(XemplarError, match=r"sizes\.huge is no size"):
        load_recipe(written(lambda text: text + "\n[sizes.tiny]\n[sizes.huge]\n"))


def test_a_recipe_has_one_model(written):
    with pytest.raises(XemplarError, match="either `model`"):
        load_recipe(written(lambda text: text + "\n[matcher]\ndim = 8\n"))


def test_an_unknown_name_lists_the_shipped_ones():
    with pytest.raises(XemplarError, match=r"no recipe 'xmplar'; wanted one of captions, .*xemplar.*, or a"):
        load_recipe("xmplar")


@pytest.fixture
def written(tmp_path):
    def write(change):
        path = tmp_path / "mine.toml"
        path.write_text(change(load_recipe("xemplar")[1]), encoding="utf-8")
        return str(path)

    return write


def test_a_recipe_of_ones_own_is_read_by_its_path(written):
    recipe, text = load_recipe(written(lambda text: text.replace('name = "xemplar"', 'name = "mine"')))
    assert recipe.name == "mine" and 'name = "mine"' in text


def test_an_unknown_key_is_named(written):
    path = written(lambda text: text.replace("[training]", "[training]\nlerning_rate = 1e-3"))
    with pytest.raises(XemplarError, match=r"mine\.toml: training\.lerning_rate: .*typing error"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("place", "model"), [("", Recipe), ("training.augmentation", Augmentation), ("model.image", ImageTower)]
)
def test_an_unknown_key_is_told_with_its_value_and_the_keys_of_its_table(written, place, model):
    def change(text):
        line = 'whatever = "this"\n'
        return text.replace(f"[{place}]\n", f"[{place}]\n{line}") if place else line + text

    with pytest.raises(XemplarError, match=r'whatever: no such key \(it is "this"\)') as told:
        load_recipe(written(change))
    assert told.value.wanted == f"one of {', '.join(model.model_fields)}"


def test_a_long_value_is_cut(written):
    with pytest.raises(XemplarError) as told:
        load_recipe(written(lambda text: f'whatever = "{"x" * 500}"\n' + text))
    assert "x" * 30 in told.value.found and len(told.value.found) < 100


@pytest.mark.parametrize(
    ("key", "value"), [("epochs", "0"), ("precision", '"fp64"'), ("frozen_norm", "7"), ("batch", "1.5")]
)
def test_a_value_that_cant_be_is_told(written, key, value):
    def change(text):
        text = re.sub(rf"^{key} = .*\n", "", text, flags=re.MULTILINE)
        return text.replace("[training]\n", f"[training]\n{key} = {value}\n")

    with pytest.raises(XemplarError, match=rf"training\.{key}: {value}: "):
        load_recipe(written(change))


def test_a_key_that_is_missing_is_told_without_its_table(written):
    with pytest.raises(XemplarError, match=r"mine\.toml: name: Field required"):
        load_recipe(written(lambda text: text.replace('name = "xemplar"\n', "")))


def test_what_doesnt_go_together_is_told_in_the_houses_own_words(written):
    path = written(lambda text: text + "\n[matching]\nlayers = 1\n")
    with pytest.raises(XemplarError, match=r'mine\.toml: assembly\.policy "evidence" weighs sentences'):
        load_recipe(path)


@pytest.mark.parametrize("place", ["training.augmentation", "model.image", "model.text", "model"])
def test_an_unknown_key_is_named_wherever_it_stands(written, place):
    path = written(lambda text: text.replace(f"[{place}]", f"[{place}]\nwhatever = 1"))
    with pytest.raises(XemplarError, match=rf"{place.replace('.', r'[.]')}\.whatever"):
        load_recipe(path)


def test_a_value_out_of_range_is_named(written):
    path = written(lambda text: re.sub(r"^dim = \d+", "dim = 0", text, flags=re.MULTILINE))
    with pytest.raises(XemplarError, match=r"model\.dim: .*greater than or equal to 8"):
        load_recipe(path)


def test_a_file_that_isnt_toml_is_told(written):
    with pytest.raises(XemplarError, match=r"mine\.toml: not TOML"):
        load_recipe(written(lambda text: "name = "))


def test_a_file_that_isnt_text_is_told(tmp_path):
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(XemplarError, match="not TOML"):
        load_recipe(str(tmp_path / "bytes.toml"))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(XemplarError, match=r"recipe can't be read \(No such file"):
        load_recipe(str(tmp_path / "none.toml"))


def test_a_recipe_survives_json():
    recipe = load_recipe("xemplar")[0]
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


def test_a_configuration_is_read_without_torch():
    code = "import sys, xemplar.training.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
