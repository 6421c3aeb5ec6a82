"""What a model is, in a few facts for people and scripts.

Knows opened models and their manifests; prints nothing.
"""

from __future__ import annotations

from xemplar.contracts import Json
from xemplar.models.checkpoint import DUAL, TorchEncoder
from xemplar.models.checkpoints.table import VectorTable
from xemplar.models.imported import Towers
from xemplar.models.matching import TorchMatcher

KINDS = {
    DUAL: "dual encoder of this program",
    "openai-clip": "CLIP, imported from OpenAI's layout",
    "huggingface": "CLIP or SigLIP, imported from a Hugging Face folder",
    "open-clip": "ViT and BERT, imported from open_clip's layout",
    "vectors": "table of vectors that another model made",
    "matcher": "matcher of images and texts, after ALBEF and X-REM",
}


def describe(model: TorchEncoder | VectorTable | TorchMatcher) -> Json:
    """Kind, sizes, domain, fingerprint, what it was trained on; how films go in, or how many vectors."""
    if isinstance(model, TorchMatcher):
        return _of_matcher(model)
    manifest = model.manifest
    kind = manifest.get("architecture", DUAL)
    facts = _of_any(model, kind, model.dim)
    if isinstance(model, VectorTable):
        counts = {name: _count(count) for name, count in manifest["coverage"].items()}
        return {**facts, "maker": model.maker, "vectors": len(model.vectors), "coverage": counts}
    network, config = model.model, model.model.config
    count = sum(one.numel() for one in network.parameters())
    facts |= {"parameters": count, "precision": config.precision, "text_tokens": config.text.max_tokens}
    if isinstance(network, Towers):
        return {
            **facts,
            "image": network.config.image.model_dump(mode="json"),
            "sizes": network.config.sizes,
            "imported_from": manifest["imported"]["name"],
        }
    towers = {side: (getattr(config, side).config or {}).get("model_type") for side in ("image", "text")}
    return {
        **facts,
        "towers": towers,
        "input_size": config.image.input_size,
        "recipe": manifest.get("recipe"),
        "validation": manifest.get("validation"),
    }


def _of_any(model: TorchEncoder | VectorTable | TorchMatcher, kind: str, dim: int | None) -> Json:
    manifest = model.manifest
    return {
        "kind": KINDS.get(kind, kind),
        "architecture": kind,
        "dim": dim,
        "domain": model.domain,
        "fingerprint": model.fingerprint,
        "previews": model.preview or "any",
        "trained_on": (manifest.get("trained_on") or {}).get("title"),
        "licence": manifest.get("licence"),
    }


def _of_matcher(model: TorchMatcher) -> Json:
    """`dim` is null, and `searches` false, where it only judges pairs."""
    config, manifest = model.net.config, model.manifest
    prepared = model.preprocessing
    return {
        **_of_any(model, "matcher", config.dim),
        "searches": config.dim is not None,
        "classes": config.classes,
        "head": config.head,
        "parameters": sum(one.numel() for one in model.net.parameters()),
        "precision": config.precision,
        "text_tokens": config.text.max_tokens,
        "image": None if prepared is None else prepared.model_dump(mode="json"),
        "sizes": {
            "image": config.image.model_dump(mode="json", exclude={"mean", "std"}),
            "text": config.text.model_dump(
                mode="json", include={"vocabulary", "width", "layers", "fusion", "heads", "inner"}
            ),
        },
        "imported_from": (manifest.get("imported") or {}).get("name"),
        **{name: manifest[name] for name in ("recipe", "validation") if name in manifest},
    }


def _count(count: Json) -> str:
    alike = f" ({count['alike']} by an equal one's)" if count.get("alike") else ""
    return f"{count['found']} of {count['of']}{alike}"
