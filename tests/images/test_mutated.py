"""Damaged image files through ingest: each is a picture or has its reason, and none takes another along."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest

from xemplar.corpus import IngestSettings, ingest
from xemplar.images import PreviewSpec, read_preview
from xemplar.sources import table

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
COUNT = 300


@pytest.fixture(scope="module")
def mutated():
    """The benchmark's modules: `mutated`, which imports `mutants`."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("mutated", BENCHMARKS / "mutated.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def gone_through(mutated, tmp_path_factory):
    """(folder, what was done to each file, what became of them) of one ingest in two processes."""
    folder = tmp_path_factory.mktemp("mutated") / "all"
    told = mutated.write_table(folder, COUNT, seed=2)
    settings = table.TableSettings(patients_unknown=True, domain="figures")
    kept = IngestSettings(
        domain="figures", texts="reports", source="table", preview=PreviewSpec(size=64), segment_size=64
    )
    ingest(table.studies(folder / "table.csv", settings), folder / "corpus", kept, workers=2)
    return folder, told, mutated.outcome(folder, COUNT)


def test_every_file_is_accounted_for_with_a_clear_reason(gone_through):
    assert gone_through[2]["faults"] == []


def test_most_damage_is_met_and_some_is_harmless(gone_through):
    assert 20 <= len(gone_through[2]["views"]) <= COUNT // 2


def test_no_file_took_its_process_along(gone_through):
    """A decoder that crashes or hangs is survived; with these files, none does either."""
    reasons = gone_through[2]["reasons"].values()
    assert not [one for one in reasons if "crashes" in one or "takes longer" in one or "killed" in one]


def test_the_damage_is_of_every_kind(gone_through):
    assert min(Counter(done for _, done in gone_through[1]).values()) >= 3
    assert len({done for _, done in gone_through[1]}) == 13


def test_every_original_is_a_picture(mutated, tmp_path):
    """Or the damage would not be what is refused."""
    for name, data in {**mutated.mutants.pictures(), **mutated.mutants.radiographs()}.items():
        (tmp_path / name).write_bytes(data)
        assert read_preview(tmp_path / name, PreviewSpec(size=64)).pixels.std() > 20, name
