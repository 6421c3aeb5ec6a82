"""Damaged image files through ingest: none may crash it, each is a picture or has its reason.

    python benchmarks/mutated.py --out docs/results

Some thirty small films, one for each format and transfer syntax, are made here and damaged by seed: cut,
bits turned, blocks blanked, doubled and shuffled, headers of other formats, lengths and sizes that lie,
bombs, noise. All go through one `xemplar ingest table` in two processes; looked at are what became of
each, the reasons, the memory of all processes together, and how long the slowest file took. Prints and
writes one JSON object; ends with 1 where a file is unaccounted for or a bound isn't kept.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path

import mutants
from machine import machine
from PIL import Image

COUNT = 3000
MEMORY_MB = 1500


# --- what becomes of them -----


def write_table(folder: Path, count: int, seed: int) -> list[tuple[str, str]]:
    """Files and a table that names them; returns each one's original and damage."""
    told = []
    (folder / "files").mkdir(parents=True)
    with (folder / "table.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["study", "image", "findings"])
        for number, (name, done, data) in enumerate(mutants.mutants(count, seed)):
            (folder / "files" / f"{number:05d}").write_bytes(data)
            rows.writerow([f"study-{number}", f"files/{number:05d}", f"Clear lungs, film {number}."])
            told.append((name, done))
    return told


def outcome(folder: Path, count: int) -> dict:
    """Which files became views, and the others' reasons; exits where one is unaccounted for."""
    from xemplar.corpus import Corpus

    corpus = Corpus.open(folder / "corpus")
    views = {view.path: view for study in corpus.studies for view in study.views}
    lines = (folder / "corpus" / "rejected.jsonl").read_text().splitlines()
    reasons = {row["where"]: row["reason"] for row in map(json.loads, lines)}
    wanted = {f"files/{number:05d}" for number in range(count)}
    faults = []
    if len(lines) != len(reasons) or set(views) & set(reasons) or set(views) | set(reasons) != wanted:
        faults.append(f"{len(views)} views and {len(lines)} rejections don't add up to {count} files")
    faults += [f"no clear sentence: {reason!r}" for reason in set(reasons.values()) if not clear(reason)]
    # Damaged copies of one film bear one image UID, in whichever split they are.
    faults += [wrong for wrong in corpus.check() if not wrong.startswith("leak: image UID ")]
    for path, view in views.items():
        if (other := size_by_others(folder / path)) != (view.pixels.height, view.pixels.width):
            faults.append(
                f"{path} is a picture of {view.pixels.height} x {view.pixels.width}; elsewhere {other}"
            )
    return {"views": sorted(views), "reasons": reasons, "faults": faults}


def clear(reason: str) -> bool:
    """One line of plain words about the file, which quotes nothing of it."""
    one_line = re.fullmatch(r"[\x20-\x7e]{12,240}", reason) is not None
    return one_line and not re.search(r"Traceback|Planted|<class|0x[0-9a-f]{6}|\n", reason)


def plain(reason: str) -> str:
    """A reason without its numbers, to be counted."""
    return re.sub(r"\d+", "N", re.sub(r"first bytes [0-9a-f ]+", "first bytes ...", reason))


def size_by_others(path: Path) -> tuple[int, int] | str:
    """What Pillow or pydicom says of what was taken for a picture: (height, width), or its complaint."""
    from pydicom import dcmread

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if path.read_bytes()[128:132] == b"DICM":
                held = dcmread(path)
                return int(held.Rows), int(held.Columns)
            with Image.open(path) as image:
                image.load()
                return image.size[1], image.size[0]
    except Exception as error:  # whatever it is, it goes into the report
        return f"{type(error).__name__}"


def ingest(folder: Path) -> tuple[int, float, dict, str]:
    """One ingest of all: exit code, seconds, memory, and what it wrote on stderr."""
    line = [sys.executable, "-m", "xemplar", "ingest", "table", "table.csv", "--patients-unknown"]
    line += ["--domain", "figures", "--preview-size", "64", "--workers", "2", "--out", "corpus"]
    began, peak, highest = time.monotonic(), 0, 0
    with (folder / "stderr").open("wb") as stream:
        process = subprocess.Popen(line, cwd=folder, stderr=stream, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            total, most = memory_of_tree(process.pid)
            peak, highest = max(peak, total), max(highest, most)
            time.sleep(0.1)
    said = (folder / "stderr").read_text(errors="replace")
    memory = {"all_processes_mb": peak >> 20, "highest_of_one_process_mb": highest >> 20}
    return process.returncode, time.monotonic() - began, memory, said


def memory_of_tree(root: int) -> tuple[int, int]:
    """Resident now of a process and its descendants (shared pages once), and the highest mark of one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    total, most, wanted = 0, 0, {root}
    while wanted:
        for process in wanted:
            with suppress(OSError):
                text = Path(f"/proc/{process}/smaps_rollup").read_text()
                total += sum(int(n) << 10 for n in re.findall(r"^Pss:\s+(\d+)", text, re.M))
                status = Path(f"/proc/{process}/status").read_text()
                most = max([most, *(int(n) << 10 for n in re.findall(r"^VmHWM:\s+(\d+)", status, re.M))])
        wanted = {child for child, parent in parents.items() if parent in wanted}
    return total, most


def timed(path: Path) -> float:
    """Seconds that one file takes, whatever becomes of it."""
    from xemplar.errors import ImageError
    from xemplar.images import PreviewSpec, read_preview

    began = time.monotonic()
    with suppress(ImageError):
        read_preview(path, PreviewSpec(size=64))
    return time.monotonic() - began


def slowest(folder: Path, count: int) -> tuple[float, int, int]:
    """Seconds of the slowest file, which it is, and how many took their process along."""
    from xemplar.corpus.pool import Lost, Pool

    pool: Pool[Path, float] = Pool(timed, 1)
    try:
        found = list(pool.map([folder / "files" / f"{number:05d}" for number in range(count)]))
    finally:
        pool.close()
    lost = sum(isinstance(one, Lost) for one in found)
    return *max((one, number) for number, one in enumerate(found) if not isinstance(one, Lost)), lost


def report(folder: Path, count: int, seed: int) -> dict:
    """Damage, ingest, look."""
    told = write_table(folder, count, seed)
    code, seconds, memory, said = ingest(folder)
    if code:
        sys.exit(f"ingest ended with {code}: {said[-2000:]}")
    found = outcome(folder, count)
    faults = found["faults"] + [f"stderr says {word}" for word in ("Traceback", "Planted") if word in said]
    if memory["all_processes_mb"] > MEMORY_MB:
        faults.append(f"{memory['all_processes_mb']} MB; at most {MEMORY_MB} wanted")
    worst, which, lost = slowest(folder, count)
    kept = Counter(told[int(path[-5:])][1] for path in found["views"])
    reasons = Counter(plain(reason) for reason in found["reasons"].values())
    return {
        "title": f"{count} damaged image files through one ingest in two processes",
        "machine": machine(),
        "domain": "figures",
        "seed": seed,
        "files": count,
        "originals": len({name for name, done in told if done != "bomb"}),
        "damage": dict(sorted(Counter(done for _, done in told).items())),
        "still_pictures": len(found["views"]),
        "still_pictures_by_damage": dict(sorted(kept.items())),
        "rejected": len(found["reasons"]),
        "decoders_that_crashed_or_hung": lost,
        "seconds": round(seconds, 1),
        "memory": {**memory, "bound_mb": MEMORY_MB},
        "slowest_file": {"seconds": round(worst, 2), "what": " ".join(told[which])},
        "lines_on_stderr": len(said.splitlines()),
        "reasons": dict(reasons.most_common()),
        "faults": faults,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="a new folder to work in, and to keep")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        result = report((given.folder or Path(temporary)) / "mutated", given.count, given.seed)
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "mutated.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    sys.exit(1 if result["faults"] else 0)


if __name__ == "__main__":
    main()
