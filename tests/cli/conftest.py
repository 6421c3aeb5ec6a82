"""What the command line's tests share: the whole way walked once a worker, and a table of figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import RECIPE, xemplar
from PIL import Image


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole way, small: corpus, model, index and calibration in one folder."""
    folder = tmp_path_factory.mktemp("walk")
    (folder / "test.toml").write_text(RECIPE)
    xemplar(
        "ingest",
        "phantom",
        "--studies",
        120,
        "--preview-size",
        64,
        "--workers",
        1,
        "--split-salt",  # one that gives the validation part enough of a finding
        "seven",
        "--out",
        folder / "corpus",
    )
    xemplar("train", folder / "corpus", "--recipe", folder / "test.toml", "--out", folder / "model")
    xemplar("index", folder / "corpus", "--model", folder / "model", "--out", folder / "index")
    xemplar("calibrate", folder / "index", "--no-promise")
    return folder


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    """A table of 24 figures with captions, and their files."""
    rng = np.random.default_rng(0)
    rows = ["image,text,article,part"]
    parts = ("train", "val", "test")
    (tmp_path / "images").mkdir()
    for number in range(24):
        Image.fromarray(rng.integers(0, 255, (40, 50), np.uint8)).save(tmp_path / f"images/{number}.png")
        rows.append(f"images/{number}.png,Axial CT of case {number},a{number // 2},{parts[number // 2 % 3]}")
    (tmp_path / "figures.csv").write_text("\n".join(rows) + "\n")
    return tmp_path
