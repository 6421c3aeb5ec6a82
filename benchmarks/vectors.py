"""Milliseconds a query of both engines against plain numpy, in one run, as JSON.

Peer: one matrix product and `argpartition`, which leaves ties and order to chance.
Usage: python benchmarks/vectors.py [--rows 100000] [--dim 128] [--k 10] [--repeats 7]
"""

import argparse
import json
import statistics
import time

import faiss
import numpy as np
from machine import machine

from xemplar.vectors import open_engine


def plain_numpy(vectors, queries, k):
    scores = queries @ vectors.T
    top = np.argpartition(scores, -k, axis=1)[:, -k:]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1)
    return np.take_along_axis(top, order, axis=1)


def unit_rows(seed, rows, dim):
    """Noisy low-rank rows, closer to embeddings than white noise is."""
    rng = np.random.default_rng(seed)
    basis = np.random.default_rng(0).standard_normal((dim // 4, dim))
    table = rng.standard_normal((rows, dim // 4)) @ basis + rng.standard_normal((rows, dim))
    return (table / np.linalg.norm(table, axis=1, keepdims=True)).astype(np.float32)


def measure(searches, repeats):
    """Median wall and CPU milliseconds; contenders take turns, so that load falls on all alike."""
    taken = {name: ([], []) for name in searches}
    for _ in range(repeats + 1):
        for name, search in searches.items():
            wall, cpu = time.perf_counter(), time.process_time()
            search()
            taken[name][0].append(1000 * (time.perf_counter() - wall))
            taken[name][1].append(1000 * (time.process_time() - cpu))
    return {name: [statistics.median(times[1:]) for times in both] for name, both in taken.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("rows", 100_000), ("dim", 128), ("k", 10), ("repeats", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    vectors = unit_rows(1, args.rows, args.dim)
    engines = {name: open_engine(name, args.dim) for name in ("exact", "faiss")}
    for engine in engines.values():
        engine.add(np.arange(args.rows), vectors)
    allow = np.delete(np.arange(args.rows), np.arange(0, args.rows, 1000))
    results = []
    for batch in (1, 64):
        queries = unit_rows(2, batch, args.dim)
        searches = {"numpy argpartition": lambda queries=queries: plain_numpy(vectors, queries, args.k)}
        for name, engine in engines.items():
            searches[name] = lambda engine=engine, queries=queries: engine.search(queries, args.k)
            searches[f"{name}, one in 1000 left out"] = lambda engine=engine, queries=queries: engine.search(
                queries, args.k, allow=allow
            )
        times = measure(searches, args.repeats)
        peer = times["numpy argpartition"]
        for name, (wall, cpu) in times.items():
            results.append(
                {
                    "engine": name,
                    "batch": batch,
                    "wall_ms_per_query": round(wall / batch, 3),
                    "cpu_ms_per_query": round(cpu / batch, 3),
                    "wall_ratio_to_numpy": round(wall / peer[0], 2),
                    "cpu_ratio_to_numpy": round(cpu / peer[1], 2),
                }
            )
    sizes = {"rows": args.rows, "dim": args.dim, "k": args.k}
    print(
        json.dumps(
            {
                "machine": {**machine(), "numpy": np.__version__, "faiss": faiss.__version__},
                "sizes": sizes,
                "results": results,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
