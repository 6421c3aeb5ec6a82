"""The benchmark run: corpora made ready, entries run in processes of their own, a few at a time.

Knows what waits for what and what is done already; trains and scores nothing itself. A failed entry is
told and stops nobody but those that need its encoder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.evaluation.benchmark.corpora import drawn_corpora
from xemplar.evaluation.benchmark.entry import FAILED
from xemplar.evaluation.benchmark.folder import BenchmarkFolder, Sets
from xemplar.evaluation.benchmark.plan import BenchmarkSettings, Entry, Plan, make_plan
from xemplar.folders import writing

Told = Callable[[str], None]
"""Told each thing that happens, a line at a time."""

JOBS = 2
_LOG = "log.txt"
_POLL = 0.2
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@contextmanager
def begun(
    path: Path, settings: BenchmarkSettings, *, corpus: Path | None = None, told: Told
) -> Iterator[BenchmarkFolder]:
    """Make the corpora ready, write the plan and hold the folder, so that nobody else plans or runs there.

    An unknown recipe is refused before anything is written. Without `corpus` phantoms are drawn: site A,
    and site B to be asked about alone.
    """
    make_plan(settings)
    with writing(path):
        yield _planned(path, settings, corpus=corpus, told=told)


def begin(
    path: Path, settings: BenchmarkSettings, *, corpus: Path | None = None, told: Told
) -> BenchmarkFolder:
    """The same, and let the folder go again."""
    with begun(path, settings, corpus=corpus, told=told) as folder:
        return folder


def _planned(path: Path, settings: BenchmarkSettings, *, corpus: Path | None, told: Told) -> BenchmarkFolder:
    if corpus is None:
        drawn = drawn_corpora(path / "corpora", settings.studies, told=told)
        places = {name: os.path.relpath(place, path) for name, place in drawn.items()}
        sets = Sets(learnt=places["A"], asked=places)
    else:
        sets = Sets(learnt=str(corpus.resolve()), asked={"test": str(corpus.resolve())})
    opened = Corpus.open(path / sets.learnt)
    pairs = any(study.views and study.text.strip() for study in opened.part("train"))
    plan = make_plan(settings, texts=opened.settings.texts, trains=pairs)
    for name, why in plan.left_out.items():
        told(f"left out: {name} ({why})")
    folder = BenchmarkFolder(path)
    folder.begin(settings, plan, sets)
    told("looking for near-duplicates across splits")
    for asked in folder.asked():  # kept beside the corpora, for every entry to find
        told(f"set {asked.name}: {asked.facts()['title']}, {asked.left_out} left out as near-duplicates")
    return folder


def run_entries(folder: BenchmarkFolder, *, jobs: int = JOBS, told: Told, held: bool = False) -> Json:
    """Run every entry that isn't done, `jobs` at a time with a thread each; entry -> why it failed.

    A second benchmark of the same folder at the same time is refused; `held`: the caller holds it already.
    """
    with nullcontext() if held else writing(folder.path):
        schedule = _Schedule(folder, folder.plan(), told, max(1, jobs))
        schedule.tell_what_is_done()
        try:
            schedule.run()
        finally:
            for one in schedule.running.values():  # interrupted: what they have so far is kept
                one.process.terminate()
    return schedule.failed


@dataclass(slots=True)
class _Running:
    entry: Entry
    process: subprocess.Popen[bytes]
    began: float


@dataclass
class _Schedule:
    """Who is done, who runs, who waits and for whom."""

    folder: BenchmarkFolder
    plan: Plan
    told: Told
    jobs: int
    running: dict[str, _Running] = field(default_factory=dict)
    failed: Json = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        results = {entry.name: self.folder.result(entry) for entry in self.plan.entries}
        self.done = {name for name, result in results.items() if result is not None}
        self.waiting = [entry for entry in self.plan.entries if entry.name not in self.done]
        for entry in self.plan.entries:
            if (result := results[entry.name]) is not None:
                self.took[entry.name] = sum(step["seconds"] for step in result["steps"])

    def tell_what_is_done(self) -> None:
        if self.done:
            self.told(f"{len(self.done)} of {len(self.plan.entries)} are done already")

    def run(self) -> None:
        """Start and gather until nobody waits or runs."""
        while self.waiting or self.running:
            while self.waiting and len(self.running) < self.jobs:
                if not self.start_next():
                    break
            self.gather()

    def start_next(self) -> bool:
        """Start the first that needn't wait; those whose encoder failed fail with it."""
        for entry in list(self.waiting):
            if entry.shares in self.failed:
                self.waiting.remove(entry)
                self._fails(entry, f"the entry whose encoder it takes, {entry.shares}, failed")
            elif entry.shares is None or entry.shares in self.done:
                self.waiting.remove(entry)
                self._start(entry)
                return True
        return False

    def _start(self, entry: Entry) -> None:
        self.folder.ready(entry)
        command = [
            sys.executable,
            "-m",
            "xemplar.evaluation.benchmark.entry",
            str(self.folder.path),
            entry.name,
        ]
        threads = dict.fromkeys(_THREADS, "1")
        with (self.folder.run(entry) / _LOG).open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **threads}
            )
        self.running[entry.name] = _Running(entry, process, time.monotonic())

    def gather(self) -> None:
        """Wait for one to end, and tell what became of it."""
        ended = [one for one in self.running.values() if one.process.poll() is not None]
        if not ended:
            time.sleep(_POLL)
        for one in ended:
            del self.running[one.entry.name]
            self._ended(one)

    def _ended(self, one: _Running) -> None:
        code, name = one.process.returncode, one.entry.name
        if code == 0 and self.folder.result(one.entry) is not None:
            self.done.add(name)
            self.took[name] = time.monotonic() - one.began
            self.told(f"{self._counted()}; {name} took {self.took[name]:.0f} s{self._left()}")
        elif code == FAILED:
            self._fails(one.entry, self.folder.failure(one.entry) or "no reason given")
        else:
            log = self.folder.run(one.entry) / _LOG
            self._fails(one.entry, f"ended with code {code}: {_last_line(log)} (see {log})")

    def _fails(self, entry: Entry, why: str) -> None:
        self.failed[entry.name] = why
        self.folder.fail(entry, why)
        self.told(f"{self._counted()}; {entry.name} FAILED: {why}")

    def _counted(self) -> str:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"{len(self.done)} of {len(self.plan.entries)} done{failed}"

    def _left(self) -> str:
        """About how long the rest takes, if each takes as long as those done that are most like it."""
        left = [*self.waiting, *(one.entry for one in self.running.values())]
        if not left:
            return ""
        spent = sum(time.monotonic() - one.began for one in self.running.values())
        seconds = max(0.0, sum(map(self._guessed, left)) - spent) / self.jobs
        return f"; about {max(1.0, seconds / 60):.0f} min left"

    def _guessed(self, entry: Entry) -> float:
        """Mean seconds of those done of its recipe that, like it, trained or didn't; or else of any such."""
        kind = entry.shares is None
        done = [one for one in self.plan.entries if one.name in self.took and (one.shares is None) == kind]
        same = [one for one in done if one.recipe == entry.recipe and one.part == entry.part]
        took = [self.took[one.name] for one in same or done] or list(self.took.values()) or [0.0]
        return sum(took) / len(took)


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "nothing said"
