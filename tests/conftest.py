"""Fixtures that several rooms' tests share, and the promise that provided-for tests really run.

A test marked `shared` may be skipped only because XEMPLAR_DATA or XEMPLAR_GOLDEN is not set, and its
reason says which: any other skip is turned into a failure, so that a green run means that it ran.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xemplar.corpus import Corpus

# Tests fork: a process with a pool of threads would wait in its child for threads that aren't there.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED_FOLDERS = ("XEMPLAR_DATA", "XEMPLAR_GOLDEN")
PHANTOM_STUDIES = 60
PHANTOM_PREVIEW = 96


def _folder(variable: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set")
    return Path(value)


@pytest.fixture(scope="session", autouse=True)
def _nothing_waits_for_the_disk() -> Iterator[None]:
    """No test cuts the power, so what is synced need not be; that it is asked for can still be counted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def shared_data() -> Path:
    """The folder of real test data; mark the test `shared`."""
    return _folder("XEMPLAR_DATA")


@pytest.fixture
def golden() -> Path:
    """The folder of golden vectors; mark the test `shared`."""
    return _folder("XEMPLAR_GOLDEN")


@pytest.fixture(scope="session")
def phantom_corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """60 drawn studies with previews of 96 px, ingested once a worker; only to be read."""
    # Imported here, so that tests of one room load no other.
    from xemplar.corpus import Corpus, IngestSettings, ingest
    from xemplar.images import PreviewSpec
    from xemplar.sources import phantom

    folder = tmp_path_factory.mktemp("phantom") / "corpus"
    settings = IngestSettings(
        domain="synthetic", texts="reports", source="phantom", preview=PreviewSpec(size=PHANTOM_PREVIEW),
        split_salt="fixture",
    )  # fmt: skip
    ingest(phantom.studies(PHANTOM_STUDIES), folder, settings, key_salt=b"tests")
    return Corpus.open(folder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip of a test whose data are there is a failure: it may be skipped only for a variable unset."""
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and item.get_closest_marker("shared"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if any(name in reason for name in SHARED_FOLDERS if not os.environ.get(name)):
            return report
        report.outcome = "failed"
        report.longrepr = f"the shared test data is there, yet this test did not run ({reason})"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line: how many tests of the shared data ran."""
    count = {
        outcome: sum("shared" in getattr(report, "keywords", {}) for report in reports)
        for outcome, reports in terminalreporter.stats.items()
        if outcome in {"passed", "failed", "error", "skipped"}
    }
    skipped = count.pop("skipped", 0)
    terminalreporter.write_line(f"tests of the shared data: {sum(count.values())} ran, {skipped} skipped")
