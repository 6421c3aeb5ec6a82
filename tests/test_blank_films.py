"""Which films show nothing: those whose pixels were read and found to be of one grey."""

import ast
from pathlib import Path

import numpy as np
import pytest

from xemplar.images import PreviewSpec, preview_from_array
from xemplar.records import Film, View

SOURCE = Path(__file__).parents[1] / "src" / "xemplar"


@pytest.mark.parametrize(("last", "blank"), [(7, True), (200, False)])
def test_a_film_of_one_grey_is_blank_and_so_is_a_view_of_it(last, blank):
    pixels = np.full((80, 80), 7, np.uint8)
    pixels[:40] = last
    preview = preview_from_array(pixels, PreviewSpec(size=64))
    assert Film(preview.image, preview.history).is_blank is blank
    assert View("v", pixels=preview.history).is_blank is blank


def test_a_view_of_which_no_pixels_were_read_is_not_blank():
    assert not View("v").is_blank


def test_nobody_but_the_records_reads_it_off_the_steps():
    """One place says what is blank; others would say something else before long."""
    asking = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        for one in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(one, ast.Compare) and isinstance(one.left, ast.Constant) and one.left.value == "blank"
    }
    assert asking == {"records.py"}
