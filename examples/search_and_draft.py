"""Search an archive for words, then draft for a film, each line with the studies it quotes.

make demo
.venv/bin/python examples/search_and_draft.py demo/index demo/films/study-1-0.png
"""

from __future__ import annotations

import sys

import xemplar


def main(index: str, film: str) -> None:
    archive = xemplar.open(index)
    print(f"{archive.corpus.title}\n")

    for hit in archive.search("left pleural effusion", k=3, kind="sentence"):
        print(f"{hit.score:.3f}  {hit.text}  (written in: {', '.join(hit.study_ids[:3])})")

    draft = archive.draft(archive.load_film(film))
    print(f"\n{draft.status}")
    if draft.gate is not None:
        print(draft.gate)
    for line in draft.lines:
        print(f"- {line.text}  (quoted from: {', '.join(line.source_study_ids[:3])})")
    for finding, why in draft.abstained.items():
        print(f"  silent about {finding}: {why}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(
            "usage: search_and_draft.py INDEX FILM (after `make demo`: demo/index, a file of demo/films)"
        )
    main(*sys.argv[1:])
