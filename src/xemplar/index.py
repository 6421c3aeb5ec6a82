"""The index folder: items, their vectors and their words, for one model over parts of one corpus.

Knows how it is built, stored and checked against corpus and model; knows nothing of how hits become
answers. A rebuilt index is written beside the old one and swapped in with its manifest.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xemplar.contracts import Encoder, Json
from xemplar.corpus import Corpus
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import (
    check_listed,
    check_new,
    clear_leftovers,
    describe_file,
    fingerprint,
    publish,
    read_manifest,
    sync_below,
    write_atomic,
    writing,
)
from xemplar.parts import FittedTo
from xemplar.records import Kind, Split, Vectors
from xemplar.vectors import StoredIndex, load_engine, open_engine

VERSION = 1
KINDS: tuple[Kind, ...] = ("image", "sentence", "report")
EXACT_UP_TO = 200_000
"""Items; above it FAISS is the default engine."""

_CHUNK = 256
_KEPT = ".encoded"
PREPARED = "prepared"
"""Folder within an index's for what a matcher prepares of its texts; each knows whose it is."""

_ITEMS = pa.schema([("item_id", pa.string()), ("study_ids", pa.list_(pa.string()))])

Report = Callable[[int, int], None]
"""Called with the number of items encoded so far, and of all."""


@dataclass(frozen=True, slots=True)
class Items:
    """The rows of one kind: row number -> item, and the studies behind it."""

    kind: Kind
    ids: tuple[str, ...]
    study_ids: tuple[tuple[str, ...], ...]
    vectors: Vectors
    engine: StoredIndex

    def __len__(self) -> int:
        return len(self.ids)


class Index:
    """One generation of an index, checked against the corpus and the encoder it was made with."""

    def __init__(self, manifest: Json, items: dict[Kind, Items], words: bm25s.BM25 | None) -> None:
        self.manifest = manifest
        self.items = items
        self.words = words
        self.generation: int = manifest["generation"]
        # Of the content alone, without the generation's folder: the same index built again is the same.
        self.fingerprint = fingerprint(
            {name.partition("/")[2]: entry["sha256"] for name, entry in manifest["files"].items()}
        )


def fitted_to(index: Index) -> FittedTo:
    """What is kept of an index by what is fitted with it."""
    return FittedTo(
        fingerprint=index.fingerprint,
        generation=index.generation,
        corpus=index.manifest["corpus"]["fingerprint"],
        model=index.manifest["model"]["fingerprint"],
        reports=index.manifest["counts"]["report"],
    )


def build_index(
    corpus: Corpus,
    encoder: Encoder,
    folder: Path,
    *,
    parts: Sequence[Split] = ("train",),
    engine: str | None = None,
    origins: Json | None = None,
    on_progress: Report | None = None,
) -> Index:
    """Encode the studies of `parts` into an index folder and open it.

    `engine` is "exact" or "faiss" (default: exact up to 200,000 items). `origins` says where corpus
    and model lie, for the manifest. Refuses an encoder made with other previews.
    """
    corpus.check_previews(encoder.preview)
    open_engine(engine or "exact", 1)  # an unknown engine is refused before hours of encoding
    rows = _rows(corpus, parts)
    engine = engine or ("exact" if max(len(items) for items in rows.values()) <= EXACT_UP_TO else "faiss")
    with writing(folder):
        generation = _last_generation(folder) + 1
        place = folder / f"{generation:06d}"
        shutil.rmtree(place, ignore_errors=True)
        kept = _Kept(folder / _KEPT, [corpus.fingerprint, encoder.fingerprint])
        encode = _Encode(corpus, encoder, kept, on_progress=on_progress)
        _write_items(place, rows, encode, engine=engine)
        manifest = {
            "kind": "index",
            "version": VERSION,
            "generation": generation,
            "parts": list(parts),
            "engine": engine,
            "dim": encode.dim,
            **_inputs(corpus, encoder, parts),
            "origins": origins or {},
            "counts": {kind: len(items) for kind, items in rows.items()},
            "files": _files(place),
        }
        publish(folder, "index.json", manifest)
        _clear_others(folder, place)
    return open_index(folder, corpus, encoder)


def _inputs(corpus: Corpus, encoder: Encoder, parts: Sequence[Split]) -> Json:
    """What the manifest says of the corpus, how much of it is held, and the model."""
    return {
        "domain": corpus.settings.domain,
        "texts": corpus.settings.texts,
        "service": set(parts) == {"train", "val", "test"},
        "corpus": {"fingerprint": corpus.fingerprint, "generation": corpus.generation},
        "model": {"fingerprint": encoder.fingerprint},
    }


def _files(place: Path) -> Json:
    """Every file of a generation by its name in the index folder."""
    names = sorted(str(path.relative_to(place.parent)) for path in place.rglob("*") if path.is_file())
    return {name: describe_file(place.parent / name) for name in names}


def _clear_others(folder: Path, place: Path) -> None:
    """Drop every generation but the one published, and what an unfinished build had kept."""
    for path in folder.iterdir():
        if _is_generation(path) and path != place:
            shutil.rmtree(path)
    shutil.rmtree(folder / _KEPT, ignore_errors=True)


def open_index(folder: Path | str, corpus: Corpus, encoder: Encoder) -> Index:
    """Open an index; one made over another corpus or by another model is refused, naming both sides."""
    folder = Path(folder)
    manifest = read_manifest(folder, "index.json", kind="index", version=VERSION)
    corpus.check_previews(encoder.preview)
    for what, found in (("corpus", corpus.fingerprint), ("model", encoder.fingerprint)):
        wanted = manifest[what]["fingerprint"]
        if wanted != found:
            raise MismatchError(
                f"the index was made with {what} {wanted}", wanted=f"{what} {found}, the one given",
                where=str(folder), remedy="build it again with `xemplar index`",
            )  # fmt: skip
    check_listed(folder, manifest["files"], "index.json")
    place = folder / f"{manifest['generation']:06d}"
    items = {kind: _read_kind(place, kind, manifest["engine"]) for kind in KINDS if manifest["counts"][kind]}
    words = bm25s.BM25.load(str(place / "words"), mmap=False) if (place / "words").is_dir() else None
    return Index(manifest, items, words)


def origins_of(folder: Path, corpus: Path, model: Path) -> Json:
    """Where corpus and model lie, relative to the index, so that all three can move together."""
    return {
        name: os.path.relpath(path.resolve(), folder.resolve())
        for name, path in (("corpus", corpus), ("model", model))
    }


def tokens_of(texts: Sequence[str]) -> list[list[str]]:
    """The words of texts as BM25 sees them: lower case, no stop words removed ("no" is a finding)."""
    tokens: list[list[str]] = bm25s.tokenize(
        list(texts), stopwords=None, return_ids=False, show_progress=False
    )
    return tokens


Row = tuple[str, tuple[str, ...], str]
"""Item id, studies behind it, and its text (empty for an image)."""


def _rows(corpus: Corpus, parts: Sequence[Split]) -> dict[Kind, list[Row]]:
    """What is indexed of the studies of `parts`, of each kind; parts without a study are refused."""
    studies = [study for study in corpus.studies if study.split in parts]
    if not studies:
        raise XemplarError(
            f"no study in {', '.join(parts)}", where=str(corpus.folder), remedy="choose other --parts"
        )
    chosen = {study.study_id for study in studies}
    sentences = []
    for sentence in corpus.sentences:
        wrote = tuple(study_id for study_id in sentence.study_ids if study_id in chosen)
        if wrote:
            sentences.append((sentence.sentence_id, wrote, sentence.text))
    return {
        "image": [(view.view_id, (study.study_id,), "") for study in studies for view in study.views],
        "sentence": sentences,
        "report": [(s.study_id, (s.study_id,), " ".join(s.text.split())) for s in studies if s.text],
    }


class _Kept:
    """Vectors of an unfinished build, a file a chunk, so that an interrupted build goes on.

    A file's name is the fingerprint of corpus, encoder and the chunk's items: one of other inputs is
    never found.
    """

    def __init__(self, folder: Path, inputs: list[str]) -> None:
        self.folder, self.inputs = folder, inputs
        folder.mkdir(exist_ok=True)

    def vectors(self, values: list[str], encode: Callable[[list[str]], Vectors]) -> Vectors:
        """The chunk's vectors, from an earlier run or made and kept now."""
        path = self.folder / f"{fingerprint([self.inputs, values])}.npy"
        if path.exists():
            kept: Vectors = np.load(path, allow_pickle=False)
            return kept
        made = encode(values)
        sink = io.BytesIO()
        np.save(sink, made, allow_pickle=False)
        write_atomic(path, sink.getvalue())
        return made


class _Encode:
    """Rows to vectors, a chunk at a time; equal texts are encoded once."""

    def __init__(self, corpus: Corpus, encoder: Encoder, kept: _Kept, *, on_progress: Report | None) -> None:
        self.corpus, self.encoder, self.kept, self.on_progress = corpus, encoder, kept, on_progress
        self.total, self.done, self.dim = 0, 0, 0

    def __call__(self, kind: Kind, rows: list[Row]) -> Vectors:
        """(rows, dim)."""
        if not rows:
            return np.zeros((0, max(self.dim, 1)), np.float32)
        if kind == "image":
            return self._chunks(
                [row[0] for row in rows], lambda ids: self.encoder.encode_images(self.corpus.previews(ids))
            )
        distinct = list(dict.fromkeys(text for _, _, text in rows))
        self.total -= len(rows) - len(distinct)
        vectors = self._chunks(distinct, self.encoder.encode_texts)
        place = {text: row for row, text in enumerate(distinct)}
        return vectors[[place[text] for _, _, text in rows]]

    def _chunks(self, values: list[str], encode: Callable[[list[str]], Vectors]) -> Vectors:
        parts = []
        for start in range(0, len(values), _CHUNK):
            parts.append(self.kept.vectors(values[start : start + _CHUNK], encode))
            self.done += len(parts[-1])
            if self.on_progress is not None:
                self.on_progress(self.done, self.total)
        self.dim = parts[0].shape[1]
        return np.concatenate(parts)


def _write_items(place: Path, rows: dict[Kind, list[Row]], encode: _Encode, *, engine: str) -> None:
    """Encode and write one generation's items and words, all on the disk before a manifest lists them."""
    encode.total = sum(len(items) for items in rows.values())
    for kind, items in rows.items():
        _write_kind(place, kind, items, vectors=encode(kind, items), engine=engine)
    if rows["report"]:
        _write_words(place, [text for _, _, text in rows["report"]])
    sync_below(place)


def _write_kind(place: Path, kind: Kind, rows: list[Row], *, vectors: Vectors, engine: str) -> None:
    (place / "items").mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {"item_id": [row[0] for row in rows], "study_ids": [list(row[1]) for row in rows]}, schema=_ITEMS
    )
    pq.write_table(table, place / "items" / f"{kind}.parquet", compression="zstd")
    if rows:
        index = open_engine(engine, vectors.shape[1])
        index.add(np.arange(len(rows), dtype=np.int64), vectors)
        (place / "vectors" / kind).mkdir(parents=True)
        index.save(place / "vectors" / kind)


def _write_words(place: Path, texts: list[str]) -> None:
    tokens = tokens_of(texts)
    # Numbered in the order seen: bm25s itself takes a set's order, which no two processes share.
    vocabulary = {token: n for n, token in enumerate(dict.fromkeys(t for text in tokens for t in text))}
    if not vocabulary:
        return
    words = bm25s.BM25(backend="numpy")
    words.index(([[vocabulary[token] for token in text] for text in tokens], vocabulary), show_progress=False)
    words.save(str(place / "words"))


def _read_kind(place: Path, kind: Kind, engine: str) -> Items:
    table = pq.read_table(place / "items" / f"{kind}.parquet")
    vectors: NDArray[Any] = np.load(
        place / "vectors" / kind / "vectors.npy", mmap_mode="r", allow_pickle=False
    )
    return Items(
        kind=kind,
        ids=tuple(table.column("item_id").to_pylist()),
        study_ids=tuple(tuple(ids) for ids in table.column("study_ids").to_pylist()),
        vectors=vectors,
        engine=load_engine(engine, place / "vectors" / kind),
    )


def _last_generation(folder: Path) -> int:
    """The folder's generation, 0 for a new one; a folder that holds anything else is refused."""
    found = 0
    if (folder / "index.json").exists():
        found = read_manifest(folder, "index.json", kind="index", version=VERSION)["generation"]
    else:
        check_new(folder, but=rf"\d{{6}}|{re.escape(_KEPT)}")
    clear_leftovers(folder)
    return found


def _is_generation(path: Path) -> bool:
    return len(path.name) == 6 and path.name.isdecimal() and path.is_dir()
