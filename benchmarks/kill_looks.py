"""What is left of a folder after a kill, and whether anything was lost.

Knows the folders; knows nothing of processes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from killed_run import Run


class Wrong(Exception):
    """Something was lost, doubled, or can't be read."""


@dataclass
class Seen:
    """What a look at a folder found."""

    generation: int
    listed: dict[str, str]
    phase: str
    repeats: int
    finished: bool = False


def look_at_corpus(folder: Path, run: Run) -> Seen:
    """Segments begun in this run and not listed are what is to be done again."""
    from xemplar.corpus import Corpus
    from xemplar.errors import XemplarError

    begun = {line.split()[1] for line in run.lines if line.startswith("segment ")}
    try:
        corpus = Corpus.open(folder)
    except XemplarError as error:
        if not any(told in str(error) for told in ("no such corpus", "no corpus.json", "no study in it")):
            raise Wrong(str(error)) from error
        return Seen(0, {}, "before the first segment" if begun else "before any work", len(begun))
    if wrong := corpus.check():
        raise Wrong("; ".join(wrong))
    listed = {
        name: entry["sha256"]
        for s in corpus.manifest["segments"].values()
        for name, entry in s["files"].items()
    }
    if len({study.study_id for study in corpus.studies}) != len(corpus.studies):
        raise Wrong("a study twice")
    finished = corpus.manifest["complete"]
    phase = "complete" if finished else "between segments" if begun else "before any work"
    left = begun - set(corpus.manifest["segments"])
    if left:
        phase = "within a segment"
    return Seen(corpus.generation, listed, phase, len(left), finished)


def look_at_index(folder: Path, run: Run, corpus: Path, model: Path) -> Seen:
    """Chunks begun in this run and not kept are what is to be done again."""
    from xemplar.corpus import Corpus
    from xemplar.errors import XemplarError
    from xemplar.index import open_index
    from xemplar.models.checkpoint import open_model

    begun = {line.split()[1] for line in run.lines if line.startswith("chunk ")}
    kept = {path.stem for path in (folder / ".encoded").glob("[!.]*.npy")}
    lost = len(begun - kept)
    try:
        opened = open_index(folder, Corpus.open(corpus), open_model(model))
    except XemplarError as error:
        if not any(told in str(error) for told in ("no such index", "no index.json")):
            raise Wrong(str(error)) from error
        phase = "within a chunk" if lost else "after a chunk" if begun else "before any work"
        return Seen(0, {}, phase, lost)
    listed = {name: entry["sha256"] for name, entry in opened.manifest["files"].items()}
    return Seen(opened.generation, listed, "index in place", 0, finished=True)


def look_at_model(folder: Path, run: Run) -> Seen:
    """Steps taken in this run beyond the kept state are what is to be done again."""
    from xemplar.models.checkpoint import open_model

    steps = [int(line.split()[1]) for line in run.lines if line.startswith("step ")]
    if (folder / "model.json").exists():
        open_model(folder)
        return Seen(1 << 30, {}, "model in place", 0, finished=True)
    kept = 0
    if (folder / "state" / "state.json").exists():
        row = json.loads((folder / "state" / "state.json").read_bytes())
        if not (folder / "state" / row["tensors"]).exists():
            raise Wrong("the state names tensors that are not there")
        kept = row["position"]["step"]
    lost = max(0, steps[-1] + 1 - kept) if steps else 0
    return Seen(
        kept, {}, f"{'after' if kept else 'before'} the first state" if steps else "before any work", lost
    )


def content_of(verb: str, folder: Path) -> object:
    """What a finished folder holds, to be compared with an undisturbed one's."""
    from xemplar.folders import file_sha256

    leftovers = [path.name for path in folder.rglob("*") if path.name.endswith((".tmp", ".new"))]
    if leftovers or (folder / "state").exists() or (folder / ".encoded").exists():
        raise Wrong(f"left behind: {leftovers or 'state or .encoded'}")
    name = {"ingest": "corpus.json", "index": "index.json", "train": "model.json"}[verb]
    manifest = json.loads((folder / name).read_bytes())
    listed = manifest.get("files") or {
        path: entry for segment in manifest["segments"].values() for path, entry in segment["files"].items()
    }
    known = {*listed, name, ".lock", "salt", "log.jsonl", "training.png", "near_duplicates.json"}
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    if strays := sorted(files - known):
        raise Wrong(f"not listed: {strays}")
    inside = {path.partition("/")[2] if verb == "index" else path: entry for path, entry in listed.items()}
    log = file_sha256(folder / "log.jsonl") if verb == "train" else None
    return inside, log, {k: manifest.get(k) for k in ("counts", "complete", "validation", "trained_on")}
