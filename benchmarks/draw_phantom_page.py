"""Forty phantoms with their reports: docs/phantom-a.png, docs/phantom-b.png and the foot of docs/phantom.md.

Of each site the first studies of seed 1 in order, each taken where it adds a finding that fewer than
three before it show, or as one of five without any: nothing is chosen by eye. What stands in the page
above the marker is written by hand and kept.
Run: python benchmarks/draw_phantom_page.py
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from xemplar.images import PreviewSpec, read_preview
from xemplar.sources.phantom import FINDINGS, SITES, label, stated, studies

DOCS = Path(__file__).parents[1] / "docs"
MARKER = "<!-- What follows is made by benchmarks/draw_phantom_page.py -->"
SEED, EACH, WELL, SHOWN = 1, 20, 5, 3
ACROSS, SIDE, LEVELS = 5, 236, 44
ASIDE = ("age", "sex", "reader", "projection", "site")


def main() -> None:
    page = (DOCS / "phantom.md").read_text(encoding="utf-8").partition(MARKER)[0]
    parts = [page + MARKER, "", *measured()]
    for site in SITES:
        chosen = choose(site)
        cv2.imwrite(
            str(DOCS / f"phantom-{site.lower()}.png"), sheet(chosen), [cv2.IMWRITE_PNG_COMPRESSION, 9]
        )
        parts += [f"## Twenty of site {site}", "", f"{label(site, SEED)}, frontal views.", ""]
        parts += [f"![Twenty drawn chest films of site {site}](phantom-{site.lower()}.png)", ""]
        for number, arrival in enumerate(chosen, start=1):
            parts += told(number, arrival)
    (DOCS / "phantom.md").write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")


def choose(site: str) -> list:
    chosen, seen, well = [], Counter(), 0
    for arrival in studies(2000, seed=SEED, site=site):
        if arrival.study.prior_id or len(chosen) == EACH:
            continue
        present = [f for f in FINDINGS if arrival.study.labels[f] == "present"]
        well += not present
        if any(seen[f] < SHOWN for f in present) or (not present and well <= WELL) or sum(seen.values()) > 40:
            seen.update(present)
            chosen.append(arrival)
    return chosen


def sheet(chosen: list) -> np.ndarray:
    """The films, numbered, in few enough greys for a page to carry."""
    rows = -(-len(chosen) // ACROSS)
    step = SIDE + 4
    whole = np.zeros((rows * step, ACROSS * step), np.uint8)
    for place, arrival in enumerate(chosen):
        film = read_preview(arrival.images[0], PreviewSpec(size=SIDE)).pixels
        film = np.round(film / 255 * LEVELS) * (255 / LEVELS)
        y, x = place // ACROSS * step, place % ACROSS * step
        whole[y : y + SIDE, x : x + SIDE] = film.astype(np.uint8)
        at = (x + SIDE - 26, y + SIDE - 6)
        for ink, thick in ((0, 4), (255, 1)):
            cv2.putText(whole, str(place + 1), at, cv2.FONT_HERSHEY_SIMPLEX, 0.55, ink, thick, cv2.LINE_AA)
    return whole


def told(number: int, arrival) -> list[str]:
    study = arrival.study
    present = [f for f in FINDINGS if study.labels[f] == "present"]
    said = stated(arrival)
    facets = {k: v for k, v in study.facets.items() if k not in ASIDE}
    drawn = "; ".join(f"{k.replace('_', ' ')} {v}" for k, v in facets.items()) or "nothing"
    who = f"{study.facets['age']} years, {study.facets['sex']}, {study.facets['projection']}"
    lines = [f"**{number}.** `{study.study_id}` {who}, reader {study.facets['reader']}. Drawn: {drawn}.", ""]
    texts = {"Indication": study.indication, "Findings": study.findings, "Impression": study.impression}
    lines += [f"> {name}: {' '.join(text.split())}  " for name, text in texts.items() if text]
    unsaid = [f for f in present if f not in said]
    hedged = [f for f in present if said.get(f) == "uncertain"]
    remarks = [f"unsaid: {', '.join(unsaid)}"] * bool(unsaid) + [f"hedged: {', '.join(hedged)}"] * bool(
        hedged
    )
    return [*lines, "", *([f"Drawn, but {'; '.join(remarks)}.", ""] if remarks else [])]


def measured() -> list[str]:
    """The floor's and the network's figures, from the benchmark's own file."""
    path = DOCS / "results" / "phantom_floor.json"
    if not path.exists():
        return []
    report = json.loads(path.read_text())
    lines = ["## Measured", "", f"phantom-v1 {report['version_hash']}, by `benchmarks/phantom_floor.py`:", ""]
    for site, part in report["sites"].items():
        net = part.get("network", {})
        reached = f" A small network with labels: {net['micro_f1']:.3f}." if net else ""
        lines += [
            f"Site {site}: {part['train_studies']} studies to learn from, "
            f"{part['test_patients']} unseen patients, {part['without_finding']:.0%} without a finding. "
            f"Micro-F1 over present findings: linear floor {part['linear_floor']['micro_f1']:.3f}.{reached}",
            "",
            "| finding | of studies | always said | linear floor | network |",
            "|---|---|---|---|---|",
        ]
        for f in FINDINGS:
            row = [part["prevalence"][f], part["always_present"]["f1"][f], part["linear_floor"]["f1"][f]]
            cells = [f"{row[0]:.1%}", *(f"{x:.2f}" for x in row[1:]), f"{net['f1'][f]:.2f}" if net else ""]
            lines.append(f"| {f} | {' | '.join(cells)} |")
        lines.append("")
    return lines


if __name__ == "__main__":
    main()
