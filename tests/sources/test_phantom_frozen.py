"""phantom-v1 stays as it is: its sources by their hash, some of its studies by what they hold.

The hash tells a change made here, the table one that came with a library. To change the phantom is to
make a new version: a new VERSION, a new literal below, `python tests/sources/test_phantom_frozen.py`
for a new table, and every published figure run again.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from xemplar.images import PreviewSpec, read_preview
from xemplar.sources import phantom

VERSION_HASH = "22720fab"

TABLE = Path(__file__).with_name("phantom_v1.json")
STUDIES = [
    (site, seed, number) for site in phantom.SITES for seed, number in ((0, 0), (0, 33), (7, 123), (7, 124))
]
GRID = 8


def seen(site, seed, number):
    """What one study holds, in JSON: labels, facets, a digest of its texts, its views in 8 x 8 fields."""
    (arrival,) = phantom.studies(1, seed=seed, start=number, site=site)
    study = arrival.study
    words = (study.indication, study.comparison, study.findings, study.impression, study.language)
    return {
        "id": study.study_id,
        "present": sorted(name for name, presence in study.labels.items() if presence == "present"),
        "facets": dict(study.facets),
        "texts": hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16],
        "fields": [fields(image).tolist() for image in arrival.images],
    }


def fields(image):
    """Mean grey of 8 x 8 fields of the view's preview: integers."""
    pixels = read_preview(image, PreviewSpec(size=64)).pixels.astype(float)
    return np.rint(pixels.reshape(GRID, 64 // GRID, GRID, 64 // GRID).mean((1, 3))).astype(int)


def test_the_phantom_is_the_one_that_was_frozen():
    assert phantom.version_hash() == VERSION_HASH, (
        f"the phantom's sources have changed (hash {phantom.version_hash()}): a change is a new version. "
        "Give it a new VERSION, write the hash into VERSION_HASH, make the table anew, and run every "
        "published figure again (docs/results, docs/phantom.md)."
    )


@pytest.fixture(scope="module")
def table():
    return {row["id"]: row for row in json.loads(TABLE.read_text())}


@pytest.mark.parametrize(("site", "seed", "number"), STUDIES)
def test_studies_hold_what_they_held(table, site, seed, number):
    now = seen(site, seed, number)
    then = table[now["id"]]
    assert {k: v for k, v in now.items() if k != "fields"} == {k: v for k, v in then.items() if k != "fields"}
    for here, there in zip(now["fields"], then["fields"], strict=True):
        # Another build of a library may round a pixel otherwise; a field's mean moves by none of that.
        assert np.abs(np.array(here) - np.array(there)).max() <= 1


def test_the_table_tells_one_study_from_another(table):
    rows = [np.array(row["fields"][0]) for row in table.values()]
    assert all(np.abs(a - b).max() > 10 for k, a in enumerate(rows) for b in rows[:k])


def test_a_label_names_version_hash_site_and_seed():
    assert phantom.label("B", 3) == f"phantom-v1 {phantom.version_hash()} site B seed 3"
    assert re.fullmatch("[0-9a-f]{8}", phantom.version_hash())


@pytest.fixture(scope="module")
def hashes(tmp_path_factory):
    """The hash that the package's own code gives to changed copies of it outside the house, by change."""
    folders = {change: tmp_path_factory.mktemp("frozen") for change in ("line ends", *CHANGES)}
    for folder in folders.values():
        for entry in files("xemplar.sources.phantom").iterdir():
            if entry.is_file():
                (folder / entry.name).write_bytes(entry.read_bytes())
    for path in folders["line ends"].glob("*.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    path = folders["a byte"] / "sites.py"
    path.write_bytes(path.read_bytes().replace(b"0.24", b"0.25", 1))
    (folders["a file more"] / "words.toml").write_text("")
    (folders["a name"] / "sites.py").rename(folders["a name"] / "places.py")
    code = (
        "import sys, xemplar.sources.phantom as p, pathlib\n"
        "for folder in sys.argv[1:]:\n"
        "    p.files = lambda name: pathlib.Path(folder)\n"
        "    getattr(p.version_hash, 'cache_clear', int)()\n"
        "    print(p.version_hash())\n"
    )
    ran = [sys.executable, "-c", code, *map(str, folders.values())]
    done = subprocess.run(ran, capture_output=True, text=True, check=True)
    return dict(zip(folders, done.stdout.split(), strict=True))


CHANGES = ("a byte", "a file more", "a name")


def test_line_ends_do_not_change_the_hash(hashes):
    assert hashes["line ends"] == phantom.version_hash()


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_changes_the_hash(hashes, change):
    assert hashes[change] != phantom.version_hash()


if __name__ == "__main__":
    rows = ",\n".join(json.dumps(seen(*one)) for one in STUDIES)
    TABLE.write_text(f"[\n{rows}\n]\n")
    sys.stdout.write(f"VERSION_HASH = {phantom.version_hash()!r}\n")
