"""docs/recipes.md holds: every key with its values and default, every recipe, its sizes and its commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

import pytest
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from xemplar.cli.verbs import app
from xemplar.errors import XemplarError
from xemplar.training.recipe import SIZES, Augmentation, Recipe, Training, load_recipe, shipped_recipes

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "recipes.md").read_text(encoding="utf-8")
KINDS = {bool: "`true`, `false`", int: "whole number", float: "number", str: "text", dict: "table"}
BOUNDS = {"ge": "{} or more", "gt": "above {}", "le": "up to {}", "lt": "below {}"}


def tables(model: type[BaseModel], name: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """A model's table and those below it, by the name that a recipe has for each."""
    yield name, model
    for key, field in model.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from tables(kind, f"{name}.{key}".strip("."))


def section(title: str, level: int = 2) -> str:
    """What stands below a heading, up to the next one of its level or above."""
    mark = "#" * level
    found = re.search(
        rf"^{mark} {re.escape(title)}\n(.*?)(?=^#{{1,{level}}} |\Z)", PAGE, re.DOTALL | re.MULTILINE
    )
    assert found, f"no heading {mark} {title}"
    return found[1]


def values(kind: Any, field: FieldInfo) -> str:
    """What a key may be, as the page has it."""
    if get_origin(kind) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(kind))
    if get_origin(kind) is UnionType:
        (kind,) = (one for one in get_args(kind) if one is not NoneType)
        return values(kind, field)
    if get_origin(kind) is tuple:
        return f"list of {values(get_args(kind)[0], field)}"
    kind = get_origin(kind) or kind
    bounds = [
        text.format(f"{limit:g}" if isinstance(limit, float) else limit)
        for mark in field.metadata
        for name, text in BOUNDS.items()
        if (limit := getattr(mark, name, None)) is not None
    ]
    return ", ".join(["table" if issubclass(kind, BaseModel) else KINDS[kind], *bounds])


def default(field: FieldInfo) -> str:
    """What a key is where it isn't there, as the page has it."""
    value = field.default
    if field.is_required() or value is None:
        return "needed" if field.is_required() else "none"
    if isinstance(value, BaseModel):
        return "its own"
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{one}"' if isinstance(one, str) else f"{one:g}" for one in value) + "]`"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{value:g}`" if isinstance(value, float) else f"`{str(value).lower()}`"


@pytest.mark.parametrize(
    ("name", "model"), [pair for pair in tables(Recipe) if pair[1] is not Training], ids=lambda one: str(one)
)
def test_every_key_has_its_row(name, model):
    rows = re.findall(
        r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$",
        section(f"`[{name}]`" if name else "Top", 3),
        re.MULTILINE,
    )
    wanted = [
        (key, values(field.annotation, field), default(field)) for key, field in model.model_fields.items()
    ]
    assert [row[:3] for row in rows] == wanted
    assert all(meaning.strip() for *_, meaning in rows)


def test_keys_of_the_loop_are_on_the_page_it_points_to():
    page = (DOCS / "training.md").read_text(encoding="utf-8")
    table = page.partition("## The loop's settings")[2].partition("\n## ")[0]
    told = {
        key
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for key in re.findall(r"`(\w+)`", row)
    }
    assert told == set(Training.model_fields)
    assert Augmentation in dict(tables(Recipe)).values()


def sizes_of(recipe: str) -> list[str]:
    found = []
    for size in SIZES:
        try:
            load_recipe(recipe, size)
            found.append(size)
        except XemplarError as error:
            assert "no size" in str(error)
    return found


@pytest.mark.parametrize("recipe", shipped_recipes())
def test_every_recipe_has_a_section_with_its_sizes(recipe):
    told = section(recipe)
    (sizes,) = re.findall(r"^Sizes: (.*?)\n\n", told, re.DOTALL | re.MULTILINE)
    assert re.findall(r"`(tiny|small|published)`", sizes) == sizes_of(recipe)
    assert "**The system" in told
    assert f"[{recipe}](#{recipe})" in PAGE.partition("\n## ")[0]


@pytest.mark.parametrize("recipe", shipped_recipes())
def test_its_commands_are_commands(recipe):
    lines = re.findall(r"^    (xemplar .*)$", section(recipe), re.MULTILINE)
    assert [line for line in lines if f"--recipe {recipe} " in line]
    verbs = [parsed(line) for line in lines]
    assert {"train", "index", "draft"} <= set(verbs)
    policy = load_recipe(recipe)[0].assembly.policy
    if policy == "evidence":
        assert "calibrate" in verbs[: verbs.index("draft")]


def parsed(line: str) -> str:
    """The verb of a command whose options the command line knows; nothing is run."""
    words = shlex.split(line)[1:]
    verb = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    verb.make_context(words[0], words[1:])
    return words[0]


def test_a_command_that_is_none_would_be_found():
    with pytest.raises(Exception, match="No such option"):
        parsed("xemplar train archive/corpus --recipes xrem --out archive/model")


@pytest.mark.parametrize("page", ["recipes.md", "training.md", "mimic.md"])
def test_links_lead_somewhere(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", text)
    assert links
    for name, part in links:
        target = DOCS / (name or page)
        assert target.exists(), name
        heads = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE) if part else []
        known = {re.sub(r"[^a-z0-9_ -]", "", head.lower()).replace(" ", "-") for head in heads}
        assert not part or part in known, f"{name}#{part}"
