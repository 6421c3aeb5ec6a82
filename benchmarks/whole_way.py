"""The whole way, measured: the demonstration on drawn films, or the README's commands on real figures.

    python benchmarks/whole_way.py demo --out docs/results
    python benchmarks/whole_way.py figures --table roco/metadata.csv --out docs/results

Runs the command line as a user would, in a folder of its own; prints and writes one JSON object with
times, peak memory of the process tree, the scores that matter, and each bar with what was reached.
`--summary` checks the bars on a summary.json that is already there. Ends with 1 where a bar isn't reached.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import machine


def memory_of_tree(root: int) -> int:
    """Proportional set size of a process and its descendants, in bytes; 0 where /proc has none."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
    total, wanted = 0, {root}
    while wanted:
        for process in wanted:
            try:
                rows = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(row.split()[1]) * 1024 for row in rows if row.startswith("Pss:"))
        wanted = {child for child, parent in parents.items() if parent in wanted}
    return total


def run(arguments: list[str], folder: Path) -> dict:
    """One call of the command line: seconds, and the highest memory seen."""
    began, peak = time.monotonic(), 0
    process = subprocess.Popen([sys.executable, "-m", "xemplar", *arguments], cwd=folder)
    while process.poll() is None:
        peak = max(peak, memory_of_tree(process.pid))
        time.sleep(2.0)  # looking is not free: each look walks every page
    if process.returncode:
        sys.exit(f"xemplar {' '.join(arguments)}: exit code {process.returncode}")
    return {"seconds": round(time.monotonic() - began, 1), "peak_mb": peak // 2**20}


def score(summary: dict, direction: str, subset: str, measure: str) -> dict:
    for table in summary["retrieval"]["tables"]:
        if table["direction"] == direction and table["subset"] == subset:
            return next(row for row in table["scores"] if row["measure"] == measure)
    raise KeyError((direction, subset, measure))


def demo_bars(summary: dict) -> list[dict]:
    f1 = next(row for row in summary["drafts"]["scores"] if row["measure"] == "micro-F1, present")
    floor, gain = f1["floors"]["linear floor"]["value"], f1["differences"]["linear floor"]
    found = score(summary, "image to text", "with a present finding", "success@10")
    over_chance = (found["ours"]["value"] - found["chance"]) / (1 - found["chance"])
    return [
        bar("drafted studies", summary["drafts"]["drafts"], ">=", 300),
        bar("micro-F1 over present findings", f1["ours"]["value"], ">=", 0.45),
        bar("micro-F1 less the linear floor's", gain["value"], ">=", 0.10),
        bar("its lower bound, paired", gain["low"], ">", 0.0),
        bar("linear floor's micro-F1", floor, ">=", 0.15),
        bar("linear floor's micro-F1, at most", floor, "<=", 0.45),
        bar("gallery", summary["retrieval"]["gallery"], ">=", 500),
        bar("image to text success@10 over chance, present findings", over_chance, ">=", 0.25),
    ]


def figures_bars(summary: dict) -> list[dict]:
    found = score(summary, "image to text", "all", "success@10")
    linear = found["floors"]["linear floor"]["value"]
    return [
        bar("image to text success@10", found["ours"]["value"], ">=", linear),
        bar("its lower bound over twice chance", found["ours"]["low"], ">", 2 * found["chance"]),
    ]


def bar(name: str, reached: float, relation: str, wanted: float) -> dict:
    holds = {">=": reached >= wanted, ">": reached > wanted, "<=": reached <= wanted}[relation]
    return {"bar": name, "reached": round(reached, 4), "wanted": f"{relation} {wanted:.4g}", "holds": holds}


def commands(name: str, table: Path | None) -> list[list[str]]:
    if name == "demo":
        return [["demo", "--out", "."]]
    if table is None:
        sys.exit("figures: --table is needed")
    return [
        ["ingest", "table", str(table.resolve()), "--group-column", "group_id", "--out", "corpus"],
        ["train", "corpus", "--out", "model"],
        ["index", "corpus", "--model", "model", "--out", "index"],
        ["evaluate", "index", "--out", "report"],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=["demo", "figures"])
    parser.add_argument("--table", type=Path)
    parser.add_argument("--summary", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--folder", type=Path, help="a new folder to work in, and to keep")
    given = parser.parse_args()
    steps = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if given.summary is None:
            steps = [
                {"command": arguments[0], **run(arguments, folder)}
                for arguments in commands(given.name, given.table)
            ]
        summary = json.loads((given.summary or folder / "report" / "summary.json").read_text())
    bars = demo_bars(summary) if given.name == "demo" else figures_bars(summary)
    if given.name == "demo" and steps:
        bars += [
            bar("seconds", steps[0]["seconds"], "<=", 300),
            bar("peak memory, MB", steps[0]["peak_mb"], "<=", 4000),
        ]
    result = {
        "title": summary["title"],
        "machine": machine(),
        "steps": steps,
        "bars": bars,
        "summary": summary,
    }
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / f"{given.name}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({key: result[key] for key in ("title", "machine", "steps", "bars")}, indent=1))
    sys.exit(0 if all(row["holds"] for row in bars) else 1)


if __name__ == "__main__":
    main()
