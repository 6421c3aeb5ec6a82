"""Kill -9 at random moments of ingest, index and train: what is left, and what it costs to go on.

    python benchmarks/kills.py --out docs/results

Runs the command line on a small drawn archive, kills it (half the time at a random moment of its run,
half the time within an instant of a random write; with its whole process group or, sometimes, alone),
looks at what is left, and gives the same command again: on and on from what the last kill left, until it
ends, and then anew. Segments, chunks and epochs are made small, so that there is much to interrupt; all
else is as shipped. Prints and writes one JSON object; ends with 1 where anything is lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

COLD_SECONDS = 8.0
"""About what a new interpreter takes to load its modules on a busy machine."""
SEGMENT, CHUNK, SAVE_SECONDS = 4, 16, 0.4
STUDIES = {"ingest": 48, "index": 40, "train": 40}
RECIPE = """
name = "small"
domain = "chest"
[model]
dim = 16
[model.image]
input_size = 32
[model.image.config]
model_type = "resnet"
num_channels = 1
embedding_size = 8
hidden_sizes = [8, 16]
depths = [1, 1]
layer_type = "basic"
[model.text]
max_tokens = 64
vocabulary = 300
[model.text.config]
model_type = "bert"
hidden_size = 16
num_hidden_layers = 1
num_attention_heads = 2
intermediate_size = 32
max_position_embeddings = 64
[training]
epochs = 4
patience = 4
average = 0.9
batch = 4
"""


# --- the command, and what it tells of itself -----


def command(events: int, arguments: list[str]) -> None:
    """The command line with small segments and chunks; a line for every write and piece of work."""
    from xemplar import cli, index
    from xemplar.corpus import settings, writer
    from xemplar.training import loop

    settings.IngestSettings.model_fields["segment_size"].default = SEGMENT
    settings.IngestSettings.model_rebuild(force=True)
    index._CHUNK, loop.SAVE_SECONDS = CHUNK, SAVE_SECONDS
    for name in ("fsync", "replace", "unlink", "mkdir"):
        setattr(os, name, _telling(getattr(os, name), events, lambda *_, name=name: name))
    writer._Writer.write_segment = _telling(
        writer._Writer.write_segment, events, lambda one, _: f"segment {len(one.manifest['segments']):06d}"
    )
    index._Kept.vectors = _telling(
        index._Kept.vectors, events, lambda one, values, _: f"chunk {index.fingerprint([one.inputs, values])}"
    )
    loop._Run._step = _telling(loop._Run._step, events, lambda one, _: f"step {one.at.step}")
    os.write(events, b"begun\n")
    cli.main(arguments)


def _telling(function: Callable, events: int, what: Callable) -> Callable:
    def told(*arguments, **named):
        os.write(events, f"{what(*arguments)}\n".encode())
        return function(*arguments, **named)

    return told


@dataclass
class Run:
    """One run of the command: a process group, and the lines that it told so far."""

    pid: int
    events: int
    lines: list[str] = field(default_factory=list)
    code: int | None = None

    def listen(self, until: float, writes: int | None = None) -> None:
        """Take in lines until a moment, its end, or so many writes."""
        rest = b""
        while (left := until - time.monotonic()) > 0:
            if not select.select([self.events], [], [], left)[0]:
                return
            data = os.read(self.events, 1 << 16)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            self.lines += [line.decode() for line in whole]
            if writes is not None and sum(" " not in line for line in self.lines) > writes:
                return

    def end(self, how: int | None, *, alone: bool) -> bool:
        """Kill it (or wait for it); whether it had ended by itself. What it told last is taken in."""
        if how is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, how) if alone else os.killpg(self.pid, how)
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        self.listen(time.monotonic() + 10)
        os.close(self.events)
        return self.code >= 0


def start(arguments: list[str], *, warm: bool, said: Path) -> Run:
    """The command in a process group of its own; `warm` forks this process, whose modules are loaded."""
    ours, theirs = os.pipe()
    if warm:
        pid = os.fork()
        if pid == 0:
            _become(theirs, arguments, said)
    else:
        line = [sys.executable, __file__, "--command", str(theirs), *arguments]
        with said.open("ab") as stream:
            pid = subprocess.Popen(
                line, stdout=stream, stderr=stream, start_new_session=True, pass_fds=[theirs]
            ).pid
    os.close(theirs)
    return Run(pid, ours)


def _become(events: int, arguments: list[str], said: Path) -> None:
    code = 70
    try:
        os.setsid()
        stream = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        command(events, arguments)
        code = 0
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 0
    finally:
        os._exit(code)


# --- what is looked at after a kill -----


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
    known = {*listed, name, ".lock", "salt", "log.jsonl", "near_duplicates.json"}
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    if strays := sorted(files - known):
        raise Wrong(f"not listed: {strays}")
    inside = {path.partition("/")[2] if verb == "index" else path: entry for path, entry in listed.items()}
    log = file_sha256(folder / "log.jsonl") if verb == "train" else None
    return inside, log, {k: manifest.get(k) for k in ("counts", "complete", "validation", "trained_on")}


# --- killing -----


@dataclass
class Tally:
    """What became of one verb's kills."""

    verb: str
    kills: int = 0
    alone: int = 0
    cold: int = 0
    finished: int = 0
    worst: int = 0
    phases: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def json(self, piece: str) -> dict:
        """As it is published; `piece` is what may be repeated."""
        return {
            "verb": self.verb,
            "kills": self.kills,
            "of_them_of_the_first_process_alone": self.alone,
            "of_them_in_a_new_interpreter": self.cold,
            "finished_and_equal_to_undisturbed": self.finished,
            "phases": dict(sorted(self.phases.items())),
            "repeated_at_most": f"{self.worst} {piece}",
            "wrong": self.wrong,
        }


def rehearse(verb: str, kills: int, seed: int, folder: Path, *, cold: float = 0.0) -> Tally:
    """Kill a verb so often, looking after each; `folder` is new, and holds the archive to work on."""
    # Loaded here, so that a fork has them.
    import xemplar.cli.verbs
    import xemplar.index
    import xemplar.sources.phantom
    import xemplar.terminal
    import xemplar.training.loop  # noqa: F401

    draw, tally = random.Random(f"{verb} {seed}"), Tally(verb)
    line, look = lines_of(verb, folder)
    began = time.monotonic()
    whole = start([*line, "--out", str(folder / "undisturbed")], warm=True, said=folder / "said")
    whole.listen(began + 600)
    whole.end(None, alone=True)
    if whole.code != 0:
        raise Wrong(f"undisturbed, it ends with {whole.code}: {(folder / 'said').read_text()[-2000:]}")
    seconds, writes = time.monotonic() - began, sum(" " not in told for told in whole.lines)
    wanted = content_of(verb, folder / "undisturbed")
    number, before = 0, Seen(0, {}, "", 0)
    while tally.kills < kills:
        out, warm = folder / f"out-{number}", draw.random() >= cold
        several = ["--workers", "2"] if verb == "ingest" and draw.random() < 0.1 else []
        run = start([*line, *several, "--out", str(out)], warm=warm, said=folder / "said")
        if draw.random() < 0.5:
            run.listen(time.monotonic() + draw.uniform(0, seconds + (0 if warm else COLD_SECONDS)))
        else:
            run.listen(time.monotonic() + 600, writes=draw.randrange(writes))
            time.sleep(draw.choice([0.0, draw.uniform(0, 0.004)]))
        alone = draw.random() < 0.4 if several else False
        ended = run.end(signal.SIGKILL, alone=alone)
        try:
            seen = look(out, run)
            _compare(before, seen, run, ended)
            if ended or seen.finished:
                _finish(verb, [*line, "--out", str(out)], folder, out, wanted=wanted)
                tally.finished += 1
        except Wrong as error:
            tally.wrong.append(f"kill {tally.kills + 1} ({run.lines[-1:]}): {error}")
            seen = Seen(0, {}, "wrong", 0, finished=True)
        if not ended:
            tally.kills, tally.alone, tally.cold = (
                tally.kills + 1,
                tally.alone + alone,
                tally.cold + (not warm),
            )
            tally.phases[seen.phase] += 1
            tally.worst = max(tally.worst, seen.repeats)
        number, before = (number + 1, Seen(0, {}, "", 0)) if ended or seen.finished else (number, seen)
    return tally


def _compare(before: Seen, seen: Seen, run: Run, ended: bool) -> None:
    if seen.generation < before.generation:
        raise Wrong(f"generation {before.generation} went back to {seen.generation}")
    if any(seen.listed.get(name) != known for name, known in before.listed.items()):
        raise Wrong("a file that was listed is gone or another")
    if ended and (run.code != 0 or not seen.finished):
        raise Wrong(f"it ended by itself with {run.code}")
    deadline = time.monotonic() + 10
    while _group_lives(run.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    if _group_lives(run.pid):
        raise Wrong("processes of it live on")


def _group_lives(group: int) -> bool:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state, _, owner = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:3]
                if int(owner) == group and state != "Z":
                    return True
    return False


def _finish(verb: str, line: list[str], folder: Path, out: Path, *, wanted: object) -> None:
    """Give the command once more, to a folder that is finished or was cut off after that."""
    run = start(line, warm=True, said=folder / "said")
    run.listen(time.monotonic() + 600)
    run.end(None, alone=True)
    if run.code != 0:
        raise Wrong(f"given again, it ended with {run.code}")
    if content_of(verb, out) != wanted:
        raise Wrong("another content than undisturbed")


Look = Callable[[Path, Run], Seen]


def lines_of(verb: str, folder: Path) -> tuple[list[str], Look]:
    """The command line of a verb but for --out, and how its folder is looked at; what it needs is made."""
    drawn = ["ingest", "phantom", "--studies", str(STUDIES[verb]), "--preview-size", "64", "--workers", "1"]
    if verb == "ingest":
        return drawn, look_at_corpus
    corpus, model, recipe = folder / "corpus", folder / "model", folder / "small.toml"
    recipe.write_text(RECIPE)
    train = ["train", str(corpus), "--recipe", str(recipe)]
    needed = [[*drawn, "--out", str(corpus)], [*train, "--out", str(model)]]
    for line in needed[: 1 if verb == "train" else 2]:
        run = start(line, warm=True, said=folder / "said")
        run.listen(time.monotonic() + 600)
        run.end(None, alone=True)
    if verb == "train":
        return train, look_at_model
    return (
        ["index", str(corpus), "--model", str(model), "--parts", "all"],
        lambda out, run: look_at_index(out, run, corpus, model),
    )


PIECES = {
    "ingest": f"segment of {SEGMENT} studies",
    "index": f"chunk of {CHUNK} items",
    "train": f"steps (a state is kept after an epoch and every {SAVE_SECONDS} s; as shipped, every 60 s)",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100, help="of each verb")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbs", default="ingest,index,train")
    parser.add_argument("--cold", type=float, default=0.03, help="share of runs that start a new interpreter")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    began, rows = time.monotonic(), []
    for verb in given.verbs.split(","):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(
                rehearse(verb, given.kills, given.seed, Path(folder), cold=given.cold).json(PIECES[verb])
            )
            print(json.dumps(rows[-1], indent=1), flush=True)
    result = {
        "title": "Kill -9 at random moments, half of them within an instant of a write",
        "seed": given.seed,
        "kills": sum(row["kills"] for row in rows),
        "lost": sum(len(row["wrong"]) for row in rows),
        "seconds": round(time.monotonic() - began),
        "verbs": rows,
    }
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "kills.json").write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(1 if result["lost"] else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--command"]:
        command(int(sys.argv[2]), sys.argv[3:])
    else:
        main()
