"""Are drafts made again the same, byte for byte; and is damage to an archive always noticed? As JSON.

Films that no archive holds are drawn, drafted in one process (each draft's file says how it was made), and
replayed in two others: with the thread count recorded, where every file must come out byte for byte; and
with two threads, where lines, sources and what is left unsaid must be the same for 99 in 100, and each
difference is named. Then one bit of every file of a copy of the archive is flipped in turn: the file must be
named by an error, or be none from which a draft of a user's film is made (`UNREAD`), with the draft the same.

`seconds` are of opening the archive and drafting once, and of hashing what is hashed as it is read.

Usage: OMP_NUM_THREADS=1 python benchmarks/replay.py INDEX [--count 500] [--site A] [--seed 70001]
       [--flips] [--out docs/results/replay.json]
INDEX lies beside its calibration and says where its corpus and model are.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from machine import drawn, machine

from xemplar.archive import open_archive
from xemplar.archive.draft_file import Asked, file_bytes, read_draft, record_of
from xemplar.archive.replaying import films_again, open_again, replay
from xemplar.errors import XemplarError
from xemplar.folders import file_sha256, publish, read_manifest
from xemplar.sources import phantom

WANTED = {"same_bytes": 1.0, "same_lines_across_threads": 0.99, "unnoticed": 0}
NAMED = 40
"""Differences across thread counts that are written down; all are counted."""

UNREAD = {
    r"corpus/landmarks/.*": "tells near-duplicates, for calibration and scores alone; checked when read",
    r"corpus/near_duplicates\.json": "what was found of them; has a checksum of its own",
    r"corpus/previews/.*": "read for films of the corpus alone; checked when read",
    r"corpus/salt": "makes keys when a corpus grows",
    r"corpus/rejected\.jsonl": "what could not be read; checked when the corpus grows, and by its check",
    r"model/log\.jsonl": "how training went",
    r"model/.*\.png": "the same as a picture",
}
"""Files from which no draft of a user's film is made, and what they are for."""


def films(folder: Path, *, count: int, site: str, seed: int) -> list[list[Path]]:
    """Draw the films of `count` studies: one list of files a study."""
    folder.mkdir()
    return [
        [
            phantom.save_film(arrival, view, folder / f"{number:04d}-{view}.png")
            for view in range(len(arrival.images))
        ]
        for number, arrival in enumerate(phantom.studies(count, site=site, seed=seed))
    ]


# --- each runs in a process of its own -------------------------------------------------------------


def draft(index: Path, work: Path) -> dict:
    archive = open_archive(index)
    stopped, lines, findings = 0, 0, Counter()
    for number, images in enumerate(json.loads((work / "films.json").read_text())):
        asked = Asked.load(archive, [Path(image) for image in images])
        made = asked.drafted(archive)
        (work / f"{number:04d}.json").write_bytes(file_bytes(made, record_of(archive, asked)))
        stopped += made.gate is not None
        lines += len(made.lines)
        findings.update({claim.finding for line in made.lines for claim in line.claims})
    record = record_of(archive, asked)
    told = {name: record[name] for name in ("engine", "machine", "versions")}
    return {
        "archive": archive.corpus.title,
        "policy": made.policy,
        "stopped_at_the_gate": stopped,
        "lines": lines,
        "drafts_that_speak_of": dict(findings.most_common()),
        **told,
    }


def again(work: Path) -> dict:
    paths = sorted(work.glob("[0-9]*.json"))
    archive = open_again(read_draft(paths[0]), beside=work)
    whole, same, lines, kinds, made, named = 0, 0, 0, Counter(), Counter(), []
    for path in paths:
        told = read_draft(path)
        done = replay(told, archive, films_again(archive, told, beside=work))
        whole += done.data == path.read_bytes()
        same += done.same
        lines += done.same_lines
        kinds.update({one.what for one in done.said})
        made.update({one.where for one in done.made})
        named += [
            {"draft": path.stem, "what": one.what, "where": one.where, "then": one.then, "now": one.now}
            for one in done.said
        ]
    return {
        "drafts": len(paths),
        "same_file_bytes": whole,
        "same_draft_bytes": same,
        "same_lines_sources_and_silence": lines,
        "drafts_that_differ_by_kind": dict(kinds),
        "made_otherwise": dict(made),
        "differences": named[:NAMED],
        "differences_in_all": len(named),
    }


def flips(index: Path, work: Path) -> dict:
    """Flip one bit of every file of a copy of the archive, one after another."""
    copy = copied(index, work / "copy")
    film = Path(json.loads((work / "films.json").read_text())[0][0])

    def made() -> bytes:
        archive = open_archive(copy / "index")
        asked = Asked.load(archive, [film])
        return file_bytes(asked.drafted(archive), record_of(archive, asked))

    whole, found, unnoticed, defects = made(), Counter(), [], []
    began = time.perf_counter()
    made()
    took, unread = time.perf_counter() - began, {}
    files = [path for path in sorted(copy.rglob("*")) if path.is_file() and path.stat().st_size]
    for path in files:
        name, data = path.relative_to(copy).as_posix(), path.read_bytes()
        place = len(data) // 2
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        why = next((why for pattern, why in UNREAD.items() if re.fullmatch(pattern, name)), None)
        try:
            same = made() == whole
            if why is None or not same:
                unnoticed.append(name)
            else:
                found["unread"] += 1
                unread[re.sub(r"\d{6}", "*", name)] = why
        except XemplarError as error:
            found["named" if path.name in str(error) else "refused, not named"] += 1
            if path.name not in str(error):
                defects.append({"file": name, "said": str(error).replace(str(copy), "")})
        finally:
            path.write_bytes(data)
    assert made() == whole
    return {
        "files": len(files),
        **found,
        "unnoticed": unnoticed,
        "not_named": defects,
        "unread_files": unread,
        "seconds": {"open and draft": round(took, 2), **hashing(copy)},
    }


def copied(index: Path, copy: Path) -> Path:
    """The archive's four folders side by side, their manifests with checksums if they are of before those."""
    manifest = read_manifest(index, "index.json", kind="index", version=1)
    places = {"index": index, "calibration": index.parent / "calibration"}
    places |= {name: index / place for name, place in manifest["origins"].items()}
    for name, place in places.items():
        shutil.copytree(place, copy / name, ignore=shutil.ignore_patterns(".lock", "state", "prepared"))
    manifest["origins"] = {"corpus": "../corpus", "model": "../model"}
    publish(copy / "index", "index.json", manifest)
    for path in copy.rglob("*.json"):
        held = json.loads(path.read_bytes())
        if isinstance(held, dict) and held.keys() >= {"kind", "version"} and path.parent.name != "corpus":
            publish(path.parent, path.name, held)
    return copy


def hashing(copy: Path) -> dict:
    """What it takes to hash the corpus's tables, and one segment's previews."""
    tables = [path for path in copy.glob("corpus/*/*.parquet")]
    shard = min((copy / "corpus/previews").iterdir())
    found = {}
    for name, paths in (("hashing the tables", tables), ("hashing a segment's previews", [shard])):
        began = time.perf_counter()
        for path in paths:
            file_sha256(path)
        found[name] = round(time.perf_counter() - began, 4)
        found[f"{name}, MiB"] = round(sum(path.stat().st_size for path in paths) / 2**20, 2)
    return found


# --- the whole -------------------------------------------------------------------------------------


def alone(name: str, *given: object, threads: int = 1) -> dict:
    """What one of the functions above gives in a process of its own."""
    print(f"{name} ({threads} threads)", file=sys.stderr)
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    asked = [sys.executable, __file__, "--alone", name, *map(str, given)]
    done = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **counts})
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("index", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--site", default="A")
    parser.add_argument("--seed", type=int, default=70_001)
    parser.add_argument("--flips", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--alone", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.alone:
        name, *paths = args.alone
        of = {"draft": draft, "again": again, "flips": flips}[name]
        print(json.dumps(of(*map(Path, paths))))
        return
    found = {
        "title": "Drafts made again in other processes, and a flipped bit of every file of an archive",
        "machine": machine(),
        "films": {**drawn(), "site": args.site, "seed": args.seed, "studies": args.count},
        "wanted": WANTED,
    }
    with tempfile.TemporaryDirectory() as folder:
        work, index = Path(folder), args.index.resolve()
        print(f"drawing {args.count} studies", file=sys.stderr)
        shown = films(work / "films", count=args.count, site=args.site, seed=args.seed)
        (work / "films.json").write_text(json.dumps([[str(path) for path in paths] for paths in shown]))
        found["drafted"] = alone("draft", index, work)
        found["another process"] = one = alone("again", work)
        found["two threads"] = two = alone("again", work, threads=2)
        if args.flips:
            found["flipped"] = alone("flips", index, work)
    found["holds"] = {
        "same_bytes": one["same_file_bytes"] == one["drafts"],
        "across_threads": two["same_lines_sources_and_silence"]
        >= WANTED["same_lines_across_threads"] * two["drafts"],
    }
    if args.flips:
        held = found["flipped"]
        found["holds"]["flipped"] = not held["unnoticed"] and not held["not_named"]
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if args.out is not None:
        args.out.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
