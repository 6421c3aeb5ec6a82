"""Ingest's rate as a share of the bare decoders' rate, by transfer syntax, in one run, as JSON.

Ingest is `xemplar.corpus.ingest`, whole: files are parsed, decoded, windowed, resized, hashed, and a
corpus is written. Its peer is the same plugin's decode of the same frames to an array at their full size,
and nothing else (of the deflated syntax, inflating too). The bar is on wall time with two processes each:
ingest with `workers=2`, from the end of its first segment, when its processes are there, until all is in the
folder, `--films` films or more (enough for some seconds) in one more segment; and two processes that are
there already and decode as many films. They take turns; the share is the median over turns. Beside it stand
the share of processor time in one process (least of several turns of each) and, of JPEG and JPEG 2000, which
ingest decodes at a lower resolution, that against the same reduced decode. The bar is held against every
syntax. For each, too, films encoded from the corpus and films encoded from their files give the same vectors
bit for bit.

Usage: python benchmarks/ingest_rate.py [--films 32] [--repeats 3] [--only part of a name]
       [--out docs/results/ingest_rate.json] [--page docs/images.md]
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
from ingest_films import BITS, DISTINCT, HEIGHT, SPEC, SYNTAXES, WIDTH, bare, write_films
from machine import drawn, machine

from xemplar.contracts import Arrival
from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.images import load_film
from xemplar.memory import keep_freed
from xemplar.models.checkpoint import TorchEncoder
from xemplar.models.config import ModelConfig
from xemplar.models.dual import DualEncoder
from xemplar.models.tokenizer import train_wordpiece
from xemplar.records import Study, View

WORKERS, BAR, MOST = 2, 0.80, 200
MARKS = ("<!-- rates: made by benchmarks/ingest_rate.py -->", "<!-- end of rates -->")
REDUCED = ("JPEG baseline", "JPEG 2000")


def arrivals(paths, count):
    for number in range(count):
        view = View(f"view-{number}", path=f"films/{number}.dcm")
        study = Study(study_id=f"study-{number}", patient_id=f"p{number}", domain="synthetic", views=(view,))
        yield Arrival(study, (paths[number % len(paths)],), split_key=f"p{number}")


def settings(segment=512):
    return IngestSettings(
        domain="synthetic", texts="reports", source="benchmark", preview=SPEC, segment_size=segment
    )


def whole_ingest(paths, count, workers=1, segment=512):
    """Ingest of `count` studies, from files to a corpus: seconds from its first segment's end to its own."""
    ends = []
    with tempfile.TemporaryDirectory() as folder:
        ingest(
            arrivals(paths, count),
            Path(folder) / "corpus",
            settings(segment),
            workers=workers,
            key_salt=b"b",
            on_progress=lambda _: ends.append(time.perf_counter()),
        )
        return time.perf_counter() - ends[0]


def _start():
    cv2.setNumThreads(1)
    keep_freed()


def _seconds(do):
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def wall(pool, paths, films, repeats):
    """Seconds a film of two processes at work, turn by turn: the whole of ingest, and the bare decode."""
    taken = {"ingest": [], "bare": []}
    order = [paths[k % len(paths)] for k in range(films)]
    list(pool.map(bare, order))  # from here on both processes hold the frames
    for _ in range(repeats):
        taken["ingest"].append(whole_ingest(paths, 2 * films, WORKERS, films) / films)
        taken["bare"].append(_seconds(lambda: list(pool.map(bare, order, chunksize=2))) / films)
    return taken


def cpu(name, paths, turns):
    """Least processor milliseconds a film in one process: the whole of ingest, the bare decode."""
    films = 2 * DISTINCT
    run = {
        "ingest": lambda: whole_ingest(paths, films),
        "bare": lambda: [bare(paths[k % DISTINCT]) for k in range(films)],
    }
    if name.startswith(REDUCED):
        run["bare, reduced"] = lambda: [bare(paths[k % DISTINCT], SPEC.size) for k in range(films)]
    taken = {key: [] for key in run}
    for turn in range(turns + 1):
        for key, do in run.items():
            start = time.process_time()
            do()
            if turn:
                taken[key].append(1000 * (time.process_time() - start) / films)
    return {key: min(values) for key, values in taken.items()}


def tiny_encoder():
    """An untrained dual encoder of fixed seed: enough to tell one preview from another."""
    import torch

    tokenizer = train_wordpiece(["No pleural effusion or pneumothorax.", "The lungs are clear."], 100)
    image = {"model_type": "resnet", "num_channels": 1, "embedding_size": 8, "hidden_sizes": [8, 8]}
    image |= {"depths": [1, 1], "layer_type": "basic"}
    words = {"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    words |= {"intermediate_size": 32, "max_position_embeddings": 64, "vocab_size": len(tokenizer)}
    config = {
        "image": {"input_size": 224, "config": image},
        "text": {"max_tokens": 48, "config": words},
        "dim": 32,
    }
    torch.manual_seed(0)
    facts = {"domain": "synthetic", "preview_fingerprint": None, "files": {}}
    return TorchEncoder(DualEncoder(ModelConfig.model_validate(config)), tokenizer, facts)


def encodes_alike(encoder, paths):
    """Whether ingest-then-encode equals load-then-encode, bit for bit."""
    with tempfile.TemporaryDirectory() as folder:
        ingest(arrivals(paths, DISTINCT), Path(folder) / "c", settings(), workers=1, key_salt=b"b")
        corpus = Corpus.open(Path(folder) / "c")
        kept = [study.views[0] for study in corpus.studies]
        stored = [corpus.preview(view.view_id) for view in kept]
        by_hash = {film.sha256: film.image for film in (load_film(path, SPEC) for path in paths)}
        loaded = [by_hash[view.sha256] for view in kept]
        if len(kept) != DISTINCT:
            raise RuntimeError(f"{len(kept)} films of {DISTINCT} were ingested")
        return encoder.encode_images(stored).tobytes() == encoder.encode_images(loaded).tobytes()


def measured(name, syntax, pool, folder, args):
    paths = write_films(name, syntax, folder)
    times = cpu(name, paths, args.repeats)
    films = WORKERS * (max(args.films, min(MOST, int(5000 / times["ingest"]))) // WORKERS)
    walls = wall(pool, paths, films, args.repeats)
    ratios = [b / i for b, i in zip(walls["bare"], walls["ingest"], strict=True)]
    part = statistics.median(ratios)
    row = {
        "syntax": name,
        "uid": syntax,
        "megabytes": round(paths[0].stat().st_size / 1e6, 2),
        "films": films,
        "films_a_second": {key: round(1 / statistics.median(values), 1) for key, values in walls.items()},
        "share_of_wall": round(part, 3),
        "share_of_wall_by_turn": [round(ratio, 3) for ratio in ratios],
        "holds": part >= BAR,
        "cpu_ms": {key: round(value, 1) for key, value in times.items()},
        "share_of_cpu": round(times["bare"] / times["ingest"], 3),
    }
    if "bare, reduced" in times:
        row["share_of_cpu_of_the_reduced_decode"] = round(times["bare, reduced"] / times["ingest"], 3)
    return row, paths


def table(result):
    """The Markdown table of a result, and of which machine it is."""
    facts = result["machine"]
    lines = [
        f"{facts['cores']} cores ({facts['cpu']}), load {facts['load']}, commit {facts['commit']}; films of "
        f"{result['film']['phantom']} {result['film']['version_hash']}, {HEIGHT} x {WIDTH} ({BITS} bits):",
        "",
        f"| syntax | ingest, films/s | bare, films/s | share (bar {BAR:.2f}) | holds | share of CPU | "
        "of the reduced decode | ingest, CPU ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in result["syntaxes"]:
        rate, reduced = row["films_a_second"], row.get("share_of_cpu_of_the_reduced_decode")
        lines.append(
            f"| {row['syntax']} | {rate['ingest']} | {rate['bare']} | {row['share_of_wall']:.2f} | "
            f"{'yes' if row['holds'] else 'no'} | {row['share_of_cpu']:.2f} | "
            f"{'' if reduced is None else format(reduced, '.2f')} | {row['cpu_ms']['ingest']} |"
        )
    held = sum(row["holds"] for row in result["syntaxes"])
    return [*lines, "", f"The bar holds for {held} of {len(result['syntaxes'])} syntaxes."]


def write_page(page, result):
    """The table between the marks of a page; all else stays."""
    before, _, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    inside = "\n".join(table(result))
    page.write_text(f"{before}{MARKS[0]}\n{inside}\n{MARKS[1]}{after}", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", help="part of a syntax's name")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--page", type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    keep_freed()
    encoder, rows, where = tiny_encoder(), [], machine()
    context = multiprocessing.get_context("forkserver")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(WORKERS, mp_context=context, initializer=_start) as pool,
    ):
        for name, syntax in SYNTAXES.items():
            if args.only and args.only not in name:
                continue
            row, paths = measured(name, syntax, pool, Path(folder), args)
            row["encodes_alike"] = encodes_alike(encoder, paths)
            rows.append(row)
            print(json.dumps(row), flush=True)
    film = {**drawn(), "height": HEIGHT, "width": WIDTH, "bits": BITS, "preview": SPEC.size}
    result = {"machine": where, "film": film, "workers": WORKERS}
    result |= {"bar": BAR, "holds_for_all": all(row["holds"] for row in rows), "syntaxes": rows}
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n")
    if args.page:
        write_page(args.page, result)


if __name__ == "__main__":
    main()
