"""A model of ours as a Hugging Face-style folder with its card, and such a folder told and read again.

Knows files and what a manifest says; no torch. Weights are copied byte for byte, so that what opens is what
was trained, with the same fingerprint.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from xemplar.contracts import Json
from xemplar.errors import MismatchError
from xemplar.folders import check_new, check_whole, file_sha256, publish, read_manifest, sync_below, writing
from xemplar.models.layout import STAGES
from xemplar.records import UNVERIFIED

VERSION = 1
TYPE = "xemplar"
"""`model_type` of a config.json that is ours."""

WEIGHTS = {"weights.safetensors": "model.safetensors"}
"""What Hugging Face names otherwise than we."""


def export_model(folder: Path | str, out: Path | str, *, licence: str | None = None) -> Json:
    """Write a trained model folder as config.json, model.safetensors, tokenizer and README.md (the card).

    Returns the manifest that config.json carries. `licence` is a name from Hugging Face's list, or
    anything that people will understand. An imported model is refused: it is its makers' to publish.
    """
    folder, out = Path(folder), Path(out)
    if (folder / "matcher.json").is_file():
        raise MismatchError("a matcher, which is not exported", wanted="a model", where=str(folder))
    manifest = read_manifest(folder, "model.json", kind="model", version=VERSION)
    if "imported" in manifest or manifest.get("architecture", "dual") != "dual":
        raise MismatchError(
            "an imported model", wanted="one that `xemplar train` made", where=str(folder),
            remedy="share its makers' own checkpoint",
        )  # fmt: skip
    _check(folder, {name: name for name in manifest["files"]}, manifest)
    if licence is not None:
        manifest = {**manifest, "licence": licence}
    with writing(out):
        check_new(out, but=r"$^")
        for name, place in _places(manifest).items():
            shutil.copyfile(folder / name, out / place)
        for stage in stages_of(folder):
            shutil.copytree(folder / stage, out / stage, ignore=shutil.ignore_patterns(".lock"))
        (out / "README.md").write_text(card(manifest, stages_of(folder)), encoding="utf-8")
        sync_below(out)
        publish(out, "config.json", {"model_type": TYPE, "architectures": ["DualEncoder"], TYPE: manifest})
    return manifest


def is_exported(folder: Path) -> bool:
    """Whether a folder is one that `export_model` wrote."""
    path = folder / "config.json"
    if (folder / "model.json").exists() or not path.is_file():
        return False
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("model_type") == TYPE and TYPE in config


def read_exported(folder: Path) -> tuple[Json, dict[str, Path]]:
    """The manifest, and where each file that it lists lies; one that is missing or changed is refused."""
    data = (folder / "config.json").read_bytes()
    config = json.loads(data)
    manifest = config[TYPE]
    if not isinstance(manifest, dict) or manifest.get("kind") != "model":
        raise MismatchError("config.json holds no model of ours", wanted="a model", where=str(folder))
    if manifest.get("version") != VERSION:
        raise MismatchError(
            f"model of version {manifest.get('version')}", wanted=f"version {VERSION}", where=str(folder)
        )
    check_whole(folder / "config.json", config, data)
    places = _places(manifest)
    _check(folder, places, manifest)
    return manifest, {name: folder / place for name, place in places.items()}


def stages_of(folder: Path) -> list[str]:
    """The later stages that lie below a model's folder."""
    return [stage for stage in STAGES if (folder / stage).is_dir()]


def card(manifest: Json, stages: Sequence[str] = ()) -> str:
    """A model card (Mitchell et al. 2019): what it is, what it learnt from, how good, and its limits."""
    licence = manifest.get("licence", "not stated")
    trained, found = manifest.get("trained_on", {}), manifest.get("validation", {})
    domain, config = manifest["domain"] or "not stated", manifest["config"]
    towers = [_tower(config[side]) for side in ("image", "text")]
    lines = [
        *_head(domain, licence),
        "",
        f"# Xemplar model, recipe `{manifest.get('recipe', 'unknown')}`",
        "",
        f"**{UNVERIFIED}**",
        "",
        f"A dual encoder of radiographs and report texts: {towers[0]} and {towers[1]}, each projected to "
        f"{config['dim']} shared dimensions.",
        "",
        "| | |",
        "|---|---|",
        f"| domain | {domain} |",
        f"| trained on | {trained.get('title', 'not stated')} |",
        f"| pairs of image and text | {trained.get('pairs', 'not stated')} |",
        f"| previews | {manifest['preview_fingerprint']} |",
        f"| trained after it | {', '.join(stages) or 'nothing'} |",
        f"| licence | {licence} |",
        "",
        "## Metrics",
        "",
        *_metrics(found),
        "",
        "## Make it again",
        "",
        *_commands(manifest),
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in _limits(domain)),
        "",
        "## Use",
        "",
        "Open the folder as a model with `xemplar index CORPUS --model FOLDER`; the corpus must hold "
        "previews of the fingerprint above. `config.json` lists each file's SHA-256.",
        "",
    ]
    return "\n".join(lines)


def _head(domain: str, licence: str) -> list[str]:
    """What Hugging Face reads of a card."""
    values = {
        "license": "other",
        "license_name": licence,
        "library_name": "xemplar",
        "tags": ["radiology", "chest-x-ray", "image-text-retrieval", f"domain-{domain}"],
    }
    told = (f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    return ["---", *told, "---"]


def _tower(settings: Json) -> str:
    config = settings.get("config") or {}
    return f"{config.get('model_type', 'unknown')} ({settings['pool']} pooling)"


def _metrics(found: Json) -> list[str]:
    if not found:
        return ["None were recorded."]
    rows = [f"| {name} | {value:.4g} |" for name, value in found.items() if isinstance(value, int | float)]
    return ["On the validation part of what it was trained on:", "", "| | |", "|---|---|", *rows]


def _commands(manifest: Json) -> list[str]:
    """How it was made; of a drawn archive how that was made, too."""
    recipe, size = manifest.get("recipe", "unknown"), manifest.get("size", "tiny")
    train = f"    xemplar train corpus --recipe {recipe} --size {size} --out model"
    title = manifest.get("trained_on", {}).get("title", "")
    drawn = re.search(r"\(phantom-v\d+ \w+\).* (\d+) studies", title)
    if drawn is None:
        return ["On the corpus named above:", "", train]
    preview = manifest.get("preview", {}).get("size", 384)
    draw = f"    xemplar ingest phantom --studies {drawn[1]} --preview-size {preview} --out corpus"
    return [draw, train]


def _limits(domain: str) -> list[str]:
    limits = [
        "It finds what is alike in an archive; it doesn't diagnose, and likeness isn't truth.",
        "Metrics above chose this checkpoint, so that they flatter it; other hospitals were not tried.",
        "What its archive lacks it can't find: rare findings, other devices, children, other languages.",
    ]
    if domain == "synthetic":
        limits.insert(0, "Trained on drawn films alone: it never drafts for a real one.")
    return limits


def _places(manifest: Json) -> dict[str, str]:
    """Name in a model folder -> name in the exported one."""
    return {
        name: WEIGHTS.get(name, name.removeprefix("tokenizer/")) for name in manifest["files"]
    }  # fmt: skip


def _check(folder: Path, places: dict[str, str], manifest: Json) -> None:
    for name, place in places.items():
        path = folder / place
        if not path.exists() or file_sha256(path) != manifest["files"][name]["sha256"]:
            raise MismatchError(
                f"{place} is missing or changed", wanted="the file its manifest lists", where=str(folder)
            )
