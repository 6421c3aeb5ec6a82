"""A recipe says how a model is made, and a mistake in it is told in a line."""

import re
import subprocess
import sys
from importlib import resources

import pytest

from xemplar.errors import XemplarError
from xemplar.training.recipe import Recipe, load_recipe

SHIPPED = sorted(
    entry.name.removesuffix(".toml")
    for entry in (resources.files("xemplar.training") / "recipes").iterdir()
    if entry.name.endswith(".toml")
)


def test_the_two_recipes_are_shipped():
    assert {"xemplar", "captions"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_loads_under_its_name(name):
    recipe, text = load_recipe(name)
    assert recipe.name == name
    assert "[model" in text


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_text_tower_has_room_for_its_longest_text(name):
    text = load_recipe(name)[0].model.text
    if text.config is not None:
        assert text.config["max_position_embeddings"] >= text.max_tokens


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
