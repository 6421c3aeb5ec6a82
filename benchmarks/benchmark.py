"""Publish what `xemplar benchmark` made: its table to docs/results, and docs/benchmark.md from all of them.

    xemplar benchmark OUT
    python benchmarks/benchmark.py OUT --name drawn
    python benchmarks/benchmark.py                    # docs/benchmark.md alone, from what is committed

No number on the page is typed by hand. Tables are docs/results/benchmark-NAME.json, shown in the order of
TITLES.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from machine import machine

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
TITLES = {
    "drawn": "Drawn films",
    "drawn-small": "Drawn films, size small",
    "figures": "Figures and their captions",
    "texts": "Texts alone",
}
HEAD = """# Benchmark

`xemplar benchmark OUT` trains every recipe on one corpus, asks all of them about the same studies and makes
one table. Without `--corpus` it draws its own: 2,000 studies of site A to learn from and 600 of site B, which
nobody learns from. The table below took 83 minutes on two cores that it shared with other work, 135 minutes
of processor; without ablations, and with the cores to itself, an earlier one took 24.

    xemplar benchmark OUT                                   # the five recipes, three seeds each, ablations
    xemplar benchmark OUT --studies 200 --seeds 1           # a look at it, in minutes
    xemplar benchmark OUT --corpus CORPUS --recipes txtrayalign,xemplar
    xemplar benchmark OUT --corpus CORPUS --model theirs=MODEL
    xemplar benchmark OUT --table --predictions generator=said.jsonl

Each entry (a recipe with a seed, and each ablation) is run in a process of its own, with one thread,
and leaves `runs/NAME/result.json` and what every study got. The same command goes on where it was stopped,
leaves out what is done, and tries again what failed; what failed is told and stops nobody else. Ablations
that change no encoder take the one that is trained already.

`asked.jsonl` names the studies that are asked about. Any other system, a generator too, is scored in the same
draft table from a file with a line `{"study_id": ..., "text": ...}` for each; the table says for how many
studies there was one, and the others count as empty drafts. A file with a study that nobody is asked about is
refused whole, with the number of such studies and the first of them. Neither predictions nor a model that is
taken may be named like a system of the table. A folder is held while its benchmark runs: a second command on
it is refused.

A corpus of captions has no findings: what is left is retrieval, and MedCLIP's scores. One of texts alone
can only be searched, by a model that is taken (`--model`), beside BM25; one of films alone, likewise. What
can't be done is said in the table.

What the columns mean, and what is fair about them:

- Everybody retrieves and drafts from the training part alone, and is asked about patients that are not in it.
- Truth is what the source says, for drawn films what was drawn, and is used for scores alone: whatever is
  learnt, voted or calibrated takes what reports claim.
- Ours classifies by its own way. Every other system gets whichever of all its ways does best on the very set
  it is scored on, which favours them; the table names it.
- What changes an encoder's training is trained with the first seed alone, but for what an aim rests on; each
  aim and ablation says on how many trainings it rests.
- Every training's validation score stands beside chance; one that is not above it by half "did not learn".
- Drafts are timed while another entry may be training on the other core: on a quiet machine they are faster.
- Each paper's own scores are in a table of their own, of all systems.
- At tiny size `xrem`'s second stage learns from whole reports and mined negatives, as X-REM's does, but it is
  one layer over the states of towers that stay as they are: that it ranks a little worse here than the cosine
  alone, and that its filter costs drafts, says little of X-REM's.
- `xtra` is after X-TRA, whose code was never published; `medclip_medpix` is Mauville's MedCLIP.
"""


def published(folder: Path, name: str, commit: str | None) -> None:
    """A table of a benchmark's folder, with where it was measured, and by which commit's code."""
    table = json.loads((folder / "table.json").read_text())
    for entry in table["entries"]:
        entry.pop("model", None)
        entry.pop("policy", None)
    told = table["command"].replace(str(folder), "OUT")  # whose machine it was says nothing
    table["command"] = re.sub(r"(?<=--corpus )\S+", "CORPUS", told)
    table["measured"] = machine() | ({"commit": commit} if commit else {})
    # Intervals in one line each: the file is read by people, too.
    text = re.sub(
        r"\{\s*(\"value\": [^{}\[\]]*?)\s*\}",
        lambda found: "{" + re.sub(r"\s+", " ", found[1]) + "}",
        json.dumps(table, indent=1, ensure_ascii=False),
    )
    (RESULTS / f"benchmark-{name}.json").write_text(text + "\n", encoding="utf-8")


def page() -> str:
    from xemplar.evaluation.benchmark.markdown import markdown

    parts = [HEAD]
    for name, title in TITLES.items():
        path = RESULTS / f"benchmark-{name}.json"
        if path.exists():
            table = json.loads(path.read_text(encoding="utf-8"))
            told = f"`{table['command']}`, commit {table['measured']['commit']}."
            parts += [markdown(table, title=title, level=2, told=told)]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--name", choices=list(TITLES), default="drawn")
    parser.add_argument("--commit", help="Of the code that ran, where that isn't this checkout's.")
    given = parser.parse_args()
    if given.folder is not None:
        published(given.folder, given.name, given.commit)
    (ROOT / "docs" / "benchmark.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
