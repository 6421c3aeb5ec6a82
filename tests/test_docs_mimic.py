"""docs/mimic.md holds: its programs and commands run on a made-up copy of MIMIC-CXR's layout, in order."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from sklearn.metrics import f1_score
from transformers import BertConfig, BertModel

from xemplar.cli import main
from xemplar.cli.verbs import app
from xemplar.corpus import Corpus
from xemplar.evaluation.benchmark.entry import run_entry
from xemplar.models.scorers import _Heads, load_chexbert
from xemplar.models.tokenizer import train_wordpiece
from xemplar.sources import phantom

PAGE = Path(__file__).parents[1] / "docs" / "mimic.md"
FENCE = re.compile(r"^```(sh|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
STUDIES = 44
TOY = (Path(__file__).parent / "small.toml").read_text() + (
    '[assembly]\npolicy = "top"\nunit = "report"\ncount = 1\n'
)
HEADER = "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,StudyDate,StudyTime"


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Drawn films and written reports as MIMIC-CXR-JPG and MIMIC-CXR lay them out, and what is brought."""
    monkeypatch.chdir(tmp_path)
    root, reports = Path("mimic-cxr-jpg/2.1.0"), Path("mimic-cxr-reports")
    films, split = [HEADER], ["dicom_id,study_id,subject_id,split"]
    for number, arrival in enumerate(phantom.studies(STUDIES, seed=9)):
        subject, study = 10000000 + int(str(arrival.study.patient_id).rpartition("p")[2]), 50000000 + number
        folder = f"files/p{str(subject)[:2]}/p{subject}"
        part = ("test", "validate", "train", "train")[subject % 4]
        day = datetime(2180, 1, 1) + timedelta(days=number)
        for place, (view, image) in enumerate(zip(arrival.study.views, arrival.images, strict=True)):
            name, word = f"{9 - place}-{number}", {"frontal": "PA"}.get(str(view.position), "LATERAL")
            films.append(f"{name},{subject},{study},CHEST,{word},{day:%Y%m%d},120000.0")
            split.append(f"{name},{study},{subject},{part}")
            path = root / folder / f"s{study}" / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            drawn = image.view if isinstance(image, phantom.WrittenView) else image
            assert isinstance(drawn, phantom.DrawnView)
            Image.fromarray(drawn.draw()).save(path)
        told = f" FINDINGS:  {arrival.study.findings}\n \n"
        if number % 5:
            told += f" IMPRESSION:  {arrival.study.impression or 'No acute finding.'}\n"
        (reports / folder).mkdir(parents=True, exist_ok=True)
        (reports / folder / f"s{study}.txt").write_text(f"{'FINAL REPORT':>40}\n{told}")
    (root / "mimic-cxr-2.0.0-metadata.csv").write_text("\n".join(films) + "\n")
    (root / "mimic-cxr-2.0.0-split.csv").write_text("\n".join(split) + "\n")
    _chexbert(Path("chexbert.pth"), Path("bert-base-uncased"))
    Path("xrem.toml").write_text(TOY)
    return tmp_path


def _chexbert(checkpoint: Path, folder: Path) -> None:
    """A network of CheXbert's layout that is next to nothing, with random weights."""
    tokenizer = train_wordpiece(["No pleural effusion.", "The heart is normal in size."], 200)
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        bert = BertModel(BertConfig(vocab_size=len(tokenizer), initializer_range=0.5, **sizes))
        heads = _Heads(bert)
    bert.save_pretrained(folder)
    torch.save({"model_state_dict": heads.state_dict()}, checkpoint)


def _lines(path: Path | str) -> list[dict[str, str]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def _graphs(pairs: Path) -> None:
    """What RadGraph would say of each pair, if every text's first word were all that it saw."""

    def graph(text: str) -> dict[str, object]:
        label = "Observation::definitely present"
        return {"1": {"tokens": text.split()[0], "label": label, "relations": []}}

    rows = _lines(pairs)
    Path("mimic/graphs.jsonl").write_text(
        "".join(
            json.dumps({"id": row["id"], **{side: graph(row[side]) for side in ("prediction", "reference")}})
            + "\n"
            for row in rows
        )
    )


def _toy(words: list[str]) -> list[str]:
    """A command at a size that takes seconds: one small recipe in the place of the five."""
    if words[:2] != ["xemplar", "benchmark"]:
        return words
    words[words.index("--size") + 1] = "tiny"
    return [*words, "--recipes", "xrem.toml", "--replicates", "20"]


def _parse(line: str) -> None:
    """See that a command's options are known, without running it."""
    words = shlex.split(line)
    typer.main.get_command(app).commands[words[1]].make_context(words[1], words[2:])  # type: ignore[attr-defined]


def _run(line: str) -> str:
    """Run one line of the page; what ran."""
    words = _toy(shlex.split(line))
    if words[0] == "python":
        sys.argv = words[1:]
        runpy.run_path(words[1], run_name="__main__")
        return words[1]
    assert words[0] == "xemplar", line
    with pytest.raises(SystemExit) as stopped:
        main(words[1:])
    assert stopped.value.code == 0, line
    return words[1]


def test_the_page_runs_on_a_made_up_copy(made_up, monkeypatch, capsys):
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(  # each in a process of its own takes its time, and is tested elsewhere
        "xemplar.evaluation.benchmark.run.run_entries",
        lambda folder, **_: {one.name: run_entry(folder, one) for one in folder.plan().entries} and {},
    )
    ran, printed = [], ""
    for language, block in FENCE.findall(PAGE.read_text(encoding="utf-8")):
        if language == "python":
            Path(block.split()[0].strip('"')).write_text(block)
            continue
        for line in block.strip().splitlines():
            if "clinical.py" in line:
                _graphs(Path("mimic/scored/xrem/pairs.jsonl"))
            if "--size tiny" in line or "--size published" in line:
                _parse(line)  # here it would be the same three times
                continue
            ran.append(_run(line))
            printed += capsys.readouterr().out
    assert ran == ["ingest", "corpus", "references.py", "benchmark", "score", "clinical.py"]

    corpus = Corpus.open(Path("mimic/corpus"))
    assert {(len(study.views), study.findings) for study in corpus.studies} == {(1, None)}
    assert {study.views[0].position for study in corpus.studies} == {"frontal"}
    asked, _ = corpus.held_apart(corpus.part("test"))
    drafts = _lines("mimic/small/runs/xrem-1/drafts.test.jsonl")
    assert {row["study_id"] for row in drafts} == {study.study_id for study in asked}
    scored = Path("mimic/scored/xrem")
    summary = json.loads((scored / "summary.json").read_text())
    assert summary["counted"]["references without a prediction"] == 0
    assert "f1_present_samples_14[uncertain=present]" in {row["measure"] for row in summary["labels"]}
    pairs = _lines(scored / "pairs.jsonl")
    assert f"CheXbert {_as_lab_rag(pairs):.3f} (f1_present_samples_14" in printed
    alike = np.mean([row["prediction"].split()[0] == row["reference"].split()[0] for row in pairs])
    assert f"RadGraph-XL partial {alike:.3f}; 0 pairs with an empty graph\n{len(asked)} studies\n" in printed


def _as_lab_rag(pairs) -> float:
    """The mean over studies of scikit-learn's F1 of 14 labels, what is uncertain being present."""
    reads = load_chexbert("chexbert.pth", "bert-base-uncased")
    sides = [reads([row[side] for row in pairs]).labels.codes for side in ("prediction", "reference")]
    said, true = (np.isin(codes, (1, -1)) for codes in sides)
    return float(np.mean([f1_score(*two, zero_division=0) for two in zip(true, said, strict=True)]))


def test_it_says_that_it_was_not_run_on_mimic():
    assert "**Not run by us on MIMIC-CXR" in PAGE.read_text(encoding="utf-8").split("##")[0]
