"""README's examples run: its commands on a small made-up table, its Python, and its figures' commands."""

from __future__ import annotations

import csv
import json
import os
import re
import runpy
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image

from xemplar.cli import main
from xemplar.contracts import Drawable
from xemplar.sources import phantom

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def run_lines(block: str) -> list[str]:
    """Run every line of a block; the verbs that ran."""
    verbs = []
    for line in block.strip().splitlines():
        words = shlex.split(line, comments=True)
        assert words[0] == "xemplar"
        with pytest.raises(SystemExit) as stopped:
            main(words[1:])
        assert stopped.value.code == 0, line
        verbs.append(words[1])
    return verbs


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """films.csv, most of its studies with an effusion, and case.png, which isn't among them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films").mkdir()
    first = [a for a in phantom.studies(2800, seed=5) if a.study.prior_id is None]
    drawn = [a for a in first if isinstance(a.images[0], Drawable)]
    *ill, case = [a for a in drawn if a.study.labels["Pleural Effusion"] == "present"][:171]
    chosen = [*ill, *[a for a in drawn if a.study.labels["Pleural Effusion"] != "present"][:80]]
    with (tmp_path / "films.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["study", "patient", "image", "findings", "impression"])
        for number, arrival in enumerate(chosen):
            image = f"films/{number}.png"
            Image.fromarray(arrival.images[0].draw()).save(image)
            study = arrival.study
            rows.writerow([study.study_id, study.patient_id, image, study.findings, study.impression])
    Image.fromarray(case.images[0].draw()).save("case.png")
    return tmp_path


def test_its_two_commands_are_verbs_of_the_makefile():
    verbs = re.findall(r"^([a-z]+):", (README.parent / "Makefile").read_text(), re.MULTILINE)
    asked = re.findall(r"^make ([a-z]+)", blocks("sh")[0], re.MULTILINE)
    assert asked == ["demo", "test"]
    assert set(asked) <= set(verbs)


def test_your_own_data_and_its_python(films, capsys):
    verbs = run_lines(blocks("sh")[1])
    assert verbs == [
        "ingest",
        "train",
        "index",
        "calibrate",
        "draft",
        "classify",
        "search",
        "search",
        "evaluate",
        "corpus",
    ]
    said = capsys.readouterr().out
    assert "Unverified draft" in said and re.search(r" (% (or more )?that |silent on |no draft: )", said)
    exec(compile(blocks("python")[0], "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_any_systems_reports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = ["Clear lungs.", "Small left pleural effusion.", "The heart is enlarged.", "No pneumothorax."]
    with Path("reports.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [["uid", "findings", "impression"], *([n, t, t] for n, t in enumerate(said))]
        )
    for name, shift in (("pairs", 0), ("other", 1)):
        rows = [[n, said[n - shift], text] for n, text in enumerate(said)]
        with Path(f"{name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([["id", "prediction", "reference"], *rows])
    assert run_lines(blocks("sh")[2]) == ["label", "score", "compare"]
    assert Path("scored/report.html").is_file() and Path("compared/report.html").is_file()


def test_the_labelers_figures_are_the_committed_ones():
    ours = json.loads((README.parent / "docs/results/labeler.json").read_text())["default"]["frozen"]
    low, high = ours["ours"]["micro_interval"]
    found = (ours["reports"], ours["ours"]["micro"], low, high, ours["original_on_findings"]["micro"])
    told = "On {:,} reports .* micro-F1 of {:.2f} \\[{:.2f}, {:.2f}\\]; .* {:.2f} \\(".format(*found)
    text = README.read_text(encoding="utf-8").replace(" .", " 0.").replace("[.", "[0.")
    assert re.search(told.replace(" .*", " .*"), text)


@pytest.mark.shared
def test_the_figures_commands(tmp_path, monkeypatch, capsys):
    if not os.environ.get("XEMPLAR_DATA"):
        pytest.skip("XEMPLAR_DATA is not set")
    source = Path(os.environ["XEMPLAR_DATA"]) / "roco"
    monkeypatch.chdir(tmp_path)
    Path("roco").mkdir()
    Path("roco/images").symlink_to(source / "images")
    with (source / "metadata.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    with Path("roco/metadata.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows[:72])
    shutil.copy(source / rows[72][rows[0].index("image")], "figure.jpg")
    assert run_lines(blocks("sh")[3])[-1] == "draft"
    assert "no draft: " not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["demo", "figures"])
def test_its_figures_are_the_committed_ones(name):
    path = README.parent / "benchmarks" / "publish.py"
    publish = runpy.run_path(str(path))
    result = json.loads((README.parent / f"docs/results/{name}.json").read_text())
    assert publish["table"](result) in README.read_text(encoding="utf-8")
    assert publish["table"](result) in (README.parent / "docs/results.md").read_text(encoding="utf-8")
    assert all(row["holds"] for row in result["bars"])


def test_every_file_it_points_to_exists():
    linked = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert linked
    assert [name for name in linked if "://" not in name and not (README.parent / name).exists()] == []


def test_the_example_says_how_it_is_called(monkeypatch):
    example = README.parent / "examples" / "search_and_draft.py"
    monkeypatch.setattr("sys.argv", [str(example)])
    with pytest.raises(SystemExit, match=r"^usage: search_and_draft\.py INDEX FILM"):
        runpy.run_path(str(example), run_name="__main__")
