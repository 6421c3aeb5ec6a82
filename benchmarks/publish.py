"""Write the committed figures into README.md and docs/results.md: no number there is typed by hand.

    python benchmarks/publish.py

Reads docs/results/{demo,figures}.json, which whole_way.py wrote.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOTES = {
    "demo": "Drawn films of unseen patients. Says nothing about clinical ability.",
    "figures": "Figures from articles, grouped by article, equal captions equally right. Not clinical films.",
}


def spread(value: dict, digits: int = 3) -> str:
    return f"{value['value']:.{digits}f} [{value['low']:.{digits}f}, {value['high']:.{digits}f}]"


def rows(result: dict) -> list[list[str]]:
    """Measure, ours, linear floor, the difference, chance: the first table of each direction and drafts."""
    summary, found = result["summary"], []
    wanted = "with a present finding" if summary["drafts"] else "all"
    for table in summary["retrieval"]["tables"]:
        if table["subset"] == wanted:
            for score in table["scores"]:
                if score["measure"] in ("success@10", "median rank"):
                    name = f"{table['direction']}, {score['measure']}".replace(
                        "success@10", "success@10 (R@10 in CLIP papers)"
                    )
                    digits = 1 if score["measure"] == "median rank" else 3
                    found.append(
                        row(f"{name}; {table['queries']} queries, gallery {table['gallery']}", score, digits)
                    )
    for score in (summary["drafts"] or {"scores": []})["scores"]:
        found.append(row(f"drafts, {score['measure']} findings", score, 3))
    return found


def row(name: str, score: dict, digits: int) -> list[str]:
    floor, gain = score["floors"]["linear floor"], score["differences"]["linear floor"]
    chance = "" if score["chance"] is None else f"{score['chance']:.{digits}f}"
    return [name, spread(score["ours"], digits), spread(floor, digits), spread(gain, digits), chance]


def table(result: dict) -> str:
    """The result as Markdown, headed by its domain and number of patients."""
    head = ["measure [95 % interval]", "ours", "linear floor", "difference, paired", "chance"]
    lines = [f"**{result['summary']['title']}**, split {result['summary']['split']}.", ""]
    lines += ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows(result)]]
    return "\n".join(lines)


def marked(text: str, name: str, body: str) -> str:
    """The text with what stands between a name's two marks replaced."""
    pattern = re.compile(rf"<!-- results:{name} -->.*?<!-- /results:{name} -->", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"no marks for {name}")
    return pattern.sub(lambda _: f"<!-- results:{name} -->\n{body}\n<!-- /results:{name} -->", text)


def page(results: dict[str, dict]) -> str:
    parts = [
        "# Results",
        "",
        "Measured by `benchmarks/whole_way.py`, written here by `benchmarks/publish.py`.",
    ]
    for name, result in results.items():
        machine = result["machine"]
        parts += ["", f"## {name.capitalize()}", "", NOTES[name], "", table(result), ""]
        where = f"{machine['cores']} cores ({machine['cpu']}), Python {machine['python']}"
        parts.append(f"{where}, commit {machine['commit']}:")
        took = [f"{s['command']} {s['seconds']} s, at most {s['peak_mb']} MB" for s in result["steps"]]
        parts += ["", "; ".join(took) + ".", "", "| bar | reached | wanted | |", "| --- | --- | --- | --- |"]
        parts += [
            f"| {b['bar']} | {b['reached']} | {b['wanted']} | {'holds' if b['holds'] else '**fails**'} |"
            for b in result["bars"]
        ]
    return "\n".join(parts) + "\n"


def main() -> None:
    results = {
        name: json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text())
        for name in ("demo", "figures")
    }
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, result in results.items():
        readme = marked(readme, name, table(result))
    (ROOT / "README.md").write_text(readme, encoding="utf-8")
    (ROOT / "docs" / "results.md").write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
