"""One entry of a benchmark in a process of its own, so that its time and memory are its own.

    python -m xemplar.evaluation.benchmark.entry FOLDER NAME [train]

Knows the benchmark's folder; schedules nothing. It leaves `runs/<name>/result.json`, written last, or
`failed.json` with the reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.evaluation.benchmark.asked import Asked, Columns, said_columns
from xemplar.evaluation.benchmark.asking import Questions
from xemplar.evaluation.benchmark.classifying import Classes
from xemplar.evaluation.benchmark.corpora import taught
from xemplar.evaluation.benchmark.floors import Floors
from xemplar.evaluation.benchmark.folder import BenchmarkFolder
from xemplar.evaluation.benchmark.papers import caption_columns, filter_rates, forget_verdicts, label_columns
from xemplar.evaluation.benchmark.plan import FLOORS, Entry
from xemplar.evaluation.benchmark.retrieving import retrieval_columns
from xemplar.evaluation.benchmark.said import claimed_in, draft_columns, text_of
from xemplar.evaluation.benchmark.steps import Steps
from xemplar.evaluation.benchmark.systems import System, Trainer, prepared, trained
from xemplar.evaluation.printed import defined
from xemplar.folders import write_atomic
from xemplar.memory import keep_freed
from xemplar.records import Presence

TRAIN = "train"
"""Third argument of the process that only trains."""

TRAINED = "train.json"
"""What its training took, in an entry's folder."""

FAILED = 3
"""The exit code of an entry that says why it can't be run."""


def run_entry(folder: BenchmarkFolder, entry: Entry, *, train: Trainer | None = None) -> Json:
    """Run an entry from wherever it was left; its result, which is written last."""
    steps = Steps()
    with steps.step("open"):
        corpus = folder.corpus()
        sets = folder.asked()
    if entry.recipe == FLOORS:
        result = _floors(folder, entry, sets, corpus=corpus, steps=steps)
    else:
        result = _system(folder, entry, sets, steps=steps, train=train)
    result = defined(
        {"entry": entry.model_dump(mode="json", exclude={"text"}), **result, "steps": steps.rows}
    )
    folder.finish(entry, result)
    return result


def _floors(
    folder: BenchmarkFolder, entry: Entry, sets: Sequence[Asked], *, corpus: Corpus, steps: Steps
) -> Json:
    with steps.step("fit"):
        floors = Floors(corpus, entry.seed)
    systems: dict[str, dict[str, str]] = {}
    for asked in sets:
        with steps.step(f"asked {asked.name}"):
            for number, (name, columns) in enumerate(floors.columns(asked)):
                file = f"{asked.name}.{number}.npz"
                folder.save(entry, file, said_columns(asked) | columns)
                systems.setdefault(name, {})[asked.name] = file
    return {"systems": systems, "notes": floors.notes}


def _system(
    folder: BenchmarkFolder, entry: Entry, sets: Sequence[Asked], *, steps: Steps, train: Trainer | None
) -> Json:
    corpus = taught(folder.corpus(), entry.part)
    system = prepared(entry, corpus, folder.runs, steps=steps, train=train)
    steps.taken(folder.run(entry) / TRAINED)
    files, found = {}, {}
    classes = _classes(system, sets)
    for asked in sets:
        questions = Questions(system, asked, folder.runs)
        with steps.step(f"asked {asked.name}"):
            columns = said_columns(asked)
            for part in _asked(system, questions, classes):
                columns |= part
            forget_verdicts(questions)
            drafted = _drafted(system, questions)
            rates = filter_rates(questions)  # read before drafts are timed, which ask the judge again
            if drafted is not None:
                columns |= drafted[0]
                lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in drafted[1])
                write_atomic(folder.run(entry) / f"drafts.{asked.name}.jsonl", lines.encode())
        files[asked.name] = f"{asked.name}.npz"
        folder.save(entry, files[asked.name], columns)
        found[asked.name] = {"filter": rates, "latency": _latency(system, questions)}
    return {
        "systems": {entry.system: files},
        "notes": system.notes,
        "own_way": classes.own if classes else None,
        "asked": found,
        **_facts(system),
    }


def _facts(system: System) -> Json:
    """What a table says of a system: what it was trained on, whom it retrieves from, how it drafts."""
    archive, counts = system.archive, system.archive.index.manifest["counts"]
    train = {study.facets["cluster"] for study in archive.corpus.part("train")}
    return {
        "patients": len(train),
        "index": counts,
        "policy": archive.assembly.model_dump(mode="json"),
        "model": {key: system.model.get(key) for key in ("recipe", "domain", "trained_on", "validation")},
        "weights_mb": round(_size(system.folder / "model") / 2**20, 1),
        "encoder": archive.encoder.fingerprint,
        "archive": archive.fingerprint,
    }


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))


def _classes(system: System, sets: Sequence[Asked]) -> Classes | None:
    if not any(asked.findings and asked.filmed.any() for asked in sets):
        return None
    try:
        return Classes(system)
    except XemplarError as error:
        system.notes["classification"] = str(error)
        return None


def _asked(system: System, questions: Questions, classes: Classes | None) -> Iterator[Columns]:
    """Columns of whatever the set and the system allow."""
    asked = questions.asked
    yield retrieval_columns(asked, questions.gallery())
    if asked.corpus.settings.texts == "reports":
        yield label_columns(questions)
    yield caption_columns(questions)
    if classes is not None and asked.findings and questions.rows:
        yield classes.columns(questions)


def _drafted(system: System, questions: Questions) -> tuple[Columns, list[Json]] | None:
    """Columns of the drafts, and the drafts' texts; None where nothing can be drafted, which is told."""
    if not questions.rows or "drafts" in system.notes:
        return None
    try:
        drafts = questions.drafts()
    except XemplarError as error:
        system.notes["drafts"] = str(error)
        return None
    asked = questions.asked
    texts = [""] * len(asked)
    said: list[dict[str, Presence]] = [{} for _ in range(len(asked))]
    rows = []
    for row, draft in zip(questions.rows, drafts, strict=True):
        texts[row], said[row] = text_of(draft), claimed_in(draft)
        rows.append({"study_id": asked.studies[row].study_id, "text": texts[row]})
    if stopped := sum(draft.gate is not None for draft in drafts):
        system.notes[f"drafts of {asked.name}"] = f"{stopped} of {len(drafts)} stopped at the gate"
    return draft_columns(asked, texts, said), rows


def _latency(system: System, questions: Questions) -> Json | None:
    return questions.latency() if questions.rows and "drafts" not in system.notes else None


def _train(folder: BenchmarkFolder, entry: Entry) -> None:
    """Train alone; time and memory are kept for the entry's result."""
    from xemplar.training import stages  # noqa: F401  loaded before the clock runs

    corpus = taught(folder.corpus(), entry.part)
    with Steps(folder.run(entry) / TRAINED).step("train"):
        trained(entry, corpus, folder.runs)


def _apart(folder: BenchmarkFolder, entry: Entry, *_: object, **__: object) -> None:
    """Train in a process of its own, so that what drafts is not seen to need what training needs."""
    program = [sys.executable, "-m", "xemplar.evaluation.benchmark.entry"]
    code = subprocess.run([*program, str(folder.path), entry.name, TRAIN], check=False).returncode
    if code:
        why = folder.failure(entry) if code == FAILED else None
        raise XemplarError(
            why or f"training ended with code {code}", where=str(folder.run(entry) / "log.txt")
        )


def _end_with(parent: int) -> None:
    """End where the process that schedules has ended: nobody would ever read what comes of this one."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def main(arguments: Sequence[str]) -> int:
    """Run one entry; 0 where it is done, FAILED where it can't be and says why."""
    keep_freed()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    folder = BenchmarkFolder(Path(arguments[0]))
    entry = folder.plan().entry(arguments[1])
    try:
        if arguments[2:] == [TRAIN]:
            _train(folder, entry)
        else:
            run_entry(folder, entry, train=partial(_apart, folder, entry))
    except XemplarError as error:
        folder.fail(entry, str(error))
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
