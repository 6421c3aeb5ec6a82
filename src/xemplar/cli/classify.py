"""The verb that tells what findings a film shows, how probably, and who speaks for and against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xemplar.cli.options import Calibration, CorpusElsewhere, IndexFolder, Json, ModelElsewhere

classify_app = typer.Typer(rich_markup_mode=None)


@classify_app.command()
def classify(
    index: IndexFolder,
    images: Annotated[list[Path], typer.Argument(help="The views of one study.")],
    corpus: CorpusElsewhere = None,
    model: ModelElsewhere = None,
    calibration: Calibration = None,
    as_json: Json = False,
) -> None:
    """Tell a study's findings with their probabilities, and the studies that speak for and against."""
    from dataclasses import asdict

    from xemplar.archive import open_archive
    from xemplar.terminal import say_json, show_classification

    archive = open_archive(index, corpus=corpus, model=model, calibration=calibration)
    made = archive.classify([archive.load_film(image) for image in images])
    if as_json:
        say_json(asdict(made))
    else:
        show_classification(made, archive.corpus)
