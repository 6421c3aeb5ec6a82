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
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kill_looks import Seen, Wrong, content_of, look_at_corpus, look_at_index, look_at_model
from killed_run import CHUNK, SAVE_SECONDS, SEGMENT, Run, start
from machine import drawn, machine

COLD_SECONDS = 8.0
"""About what a new interpreter takes to load its modules on a busy machine."""
STUDIES = {"ingest": 48, "index": 40, "train": 40}
SMALL = (Path(__file__).parents[1] / "tests/small.toml").read_text()
RECIPE = SMALL.partition("[training]")[0] + "[training]\nepochs = 4\npatience = 4\naverage = 0.9\nbatch = 4\n"


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
        "machine": machine(),
        **drawn(),
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
    main()
