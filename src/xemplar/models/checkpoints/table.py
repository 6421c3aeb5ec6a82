"""Bring your own vectors: an encoder that looks vectors up in a table which somebody else's model made.

Knows tables, keys and the corpus that they are about; no torch, and nothing of the model itself. A film is
known by the SHA-256 of its preview's pixels, a text by that of its words, so that every path that asks an
encoder works on a table: indexing, search, drafting, evaluation.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import check_new, describe_file, fingerprint, publish, sync_below, write_atomic, writing
from xemplar.images import read_preview
from xemplar.records import Domain, Image, Vectors

VERSION = 1
VECTORS = "vectors"
"""The architecture of a manifest whose model is a table."""

KEY_COLUMNS = (
    "id",
    "key",
    "image_id",
    "view_id",
    "sha256",
    "path",
    "text_id",
    "sentence_id",
    "study_id",
    "text",
)
VECTOR_COLUMNS = ("vector", "embedding", "vectors", "embeddings")
LIST_SUFFIXES = (".txt", ".json")

_KEYS = pa.schema([("kind", pa.string()), ("key", pa.string()), ("row", pa.int32())])
_SAME = 1e-3
"""Two rows of one key may differ by so much (largest difference of unit rows) and be one."""


class VectorTable:
    """An `Encoder` over a table: it has the vectors that were brought, and no others.

    `maker` names the model that made them and is part of the fingerprint. A film or text without a vector
    is a MismatchError that says how many there are.
    """

    def __init__(self, vectors: Vectors, keys: dict[str, dict[str, int]], manifest: Json) -> None:
        self.vectors, self.keys, self.manifest = vectors, keys, manifest
        self.maker: str = manifest["config"]["maker"]
        self.domain: Domain | None = manifest["domain"]
        self.preview: str | None = manifest["preview_fingerprint"]
        self.dim: int = vectors.shape[1]
        self.fingerprint = fingerprint([manifest["files"], manifest["config"], self.preview])

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Previews -> (n, dim): each by its pixels."""
        return self._rows("image", [preview_key(_pixels(image)) for image in images])

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts -> (n, dim): each by its words, whatever blanks lie between them."""
        return self._rows("text", [text_key(text) for text in texts])

    def _rows(self, kind: str, keys: list[str]) -> Vectors:
        held = self.keys[kind]
        if missing := sum(key not in held for key in keys):
            raise MismatchError(
                f"{missing} of {len(keys)} {kind}s have no vector of {self.maker}",
                wanted=f"{kind}s that its table holds ({len(held)})",
                remedy="add their vectors to the table and import it again"
                + (", films of no corpus with --films" if kind == "image" else ""),
            )
        return np.asarray(self.vectors[[held[key] for key in keys]], np.float32).reshape(len(keys), self.dim)


@dataclass(frozen=True, slots=True)
class Brought:
    """A table as read: a row's keys (of each kind it has), and the rows, of length 1."""

    keys: dict[str, int]
    vectors: Vectors


@dataclass(slots=True)
class _Found:
    """Which films and texts have a row, and how many of each were looked for."""

    keys: dict[str, dict[str, int]] = field(default_factory=lambda: {"image": {}, "text": {}})
    counts: Json = field(default_factory=dict)

    def add(self, what: str, key: str, *, row: int | None) -> None:
        """Count one that was looked for; the first of equal films or texts keeps its row.

        `alike` counts those that are known by a row other than their own.
        """
        count = self.counts.setdefault(what, {"found": 0, "of": 0})
        count["of"] += 1
        if row is not None:
            count["found"] += 1
            held = self.keys["image" if what in ("views", "films") else "text"].setdefault(key, row)
            if held != row:
                count["alike"] = count.get("alike", 0) + 1


def import_vectors(
    table: Path | str,
    corpus: Path | str,
    out: Path | str,
    *,
    maker: str,
    domain: Domain | None = None,
    more: Json | None = None,
) -> Json:
    """Write a table of vectors as a model folder and return its manifest; `open_model` opens it.

    `table` is Parquet or .npy (`read_table` says what of each). Its keys are sought among the corpus's:
    a film's SHA-256, its view id or its path as the corpus has it; a sentence's or report's own text, the
    SHA-256 of that, or its id. `more` may hold `ids` (the list of keys of an .npy), `films` (files of no
    corpus that are to be asked about, keyed by SHA-256, path or name), `trained_on` and `licence`.
    Raises XemplarError where not one key fits.
    """
    more, out = more or {}, Path(out)
    if not maker.strip():
        raise XemplarError("a table without its maker's name", remedy="name the model: --maker NAME")
    brought, opened = read_table(table, ids=more.get("ids")), Corpus.open(corpus)
    found = _found_in(opened, brought, more.get("films", ()))
    _check_found(found, brought, Path(table))
    for key, row in brought.keys.items():  # so that any text of the table can be asked for
        found.keys["text"].setdefault(text_key(key), row)
    manifest = {
        "kind": "model",
        "version": VERSION,
        "architecture": VECTORS,
        "config": {"maker": maker.strip(), "dim": int(brought.vectors.shape[1])},
        "domain": domain,
        "preview_fingerprint": opened.settings.preview.fingerprint,
        "trained_on": {"title": more.get("trained_on") or "not stated"},
        "licence": more.get("licence") or "not stated",
        "coverage": found.counts,
    }
    with writing(out):
        check_new(out, but=r"$^")
        _write(out, brought, found)
        names = ("vectors.npy", "keys.parquet")
        manifest["files"] = {name: describe_file(out / name) for name in names}
        publish(out, "model.json", manifest)
    return manifest


def open_table(folder: Path, manifest: Json) -> VectorTable:
    """The encoder of a folder that `import_vectors` wrote, whose files have been checked."""
    vectors: Vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
    keys: dict[str, dict[str, int]] = {"image": {}, "text": {}}
    columns = (pq.read_table(folder / "keys.parquet").column(name).to_pylist() for name in _KEYS.names)
    for kind, key, row in zip(*columns, strict=True):
        keys[kind][key] = row
    return VectorTable(vectors, keys, manifest)


def read_table(path: Path | str, *, ids: Path | str | None = None) -> Brought:
    """Keys and rows, each scaled to length 1.

    Parquet: one column of lists of numbers (`vector` or `embedding`) and one or several of keys (`id`,
    `sha256`, `path`, `text` ...; a row may leave any empty). .npy: (n, dim), with `ids` a .txt of one key
    a line or a .json list. Refused: rows of several lengths, not finite or zero; a key of two rows that
    differ.
    """
    path = Path(path)
    if not path.is_file():
        raise XemplarError("no such table", wanted="a .parquet or .npy file", where=str(path))
    if path.suffix == ".npy":
        keys, vectors = _numpy_table(path, ids)
    elif path.suffix == ".parquet":
        keys, vectors = _parquet_table(path)
    else:
        raise XemplarError(f"a table of kind {path.suffix!r}", wanted=".parquet or .npy", where=str(path))
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    if bad := int((~np.isfinite(lengths) | (lengths == 0)).sum()):
        raise MismatchError(
            f"{bad} of {len(vectors)} rows are zero or not finite", wanted="vectors", where=str(path)
        )
    unit = np.asarray(vectors / lengths[:, None], np.float32)
    return Brought(_one_row_each(keys, unit, path), unit)


def preview_key(pixels: NDArray[np.uint8]) -> str:
    """What a film is known by: SHA-256 of its preview's size and pixels, in hex."""
    head = f"{pixels.shape[0]}x{pixels.shape[1]}:".encode()
    return hashlib.sha256(head + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def text_key(text: str) -> str:
    """What a text is known by: SHA-256 of its words with single blanks between them, in hex."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()


def _pixels(image: Image) -> NDArray[np.uint8]:
    """A preview as a corpus stores it: exact, since a preview is those values over 255."""
    made: NDArray[np.uint8] = np.rint(np.asarray(image) * np.float32(255)).astype(np.uint8)
    return made


def _found_in(corpus: Corpus, brought: Brought, films: Iterable[Path | str]) -> _Found:
    found, rows = _Found(), brought.keys
    views = [view for study in corpus.studies for view in study.views]
    for view in views:
        row = _first(rows, view.sha256, view.view_id, view.path)
        key = preview_key(corpus.preview_pixels([view.view_id])[0]) if row is not None else ""
        found.add("views", key, row=row)
    for sentence in corpus.sentences:
        row = _text_row(rows, sentence.text, sentence.sentence_id)
        found.add("sentences", text_key(sentence.text), row=row)
    for study in corpus.studies:
        if study.text:
            row = _text_row(rows, study.text, study.study_id)
            found.add("reports", text_key(study.text), row=row)
    for film in films:
        path = Path(film)
        preview = read_preview(path, corpus.settings.preview)
        row = _first(rows, preview.sha256, str(film), path.name)
        found.add("films", preview_key(preview.pixels), row=row)
    return found


def _check_found(found: _Found, brought: Brought, table: Path) -> None:
    if not any(count["found"] for count in found.counts.values()):
        raise MismatchError(
            f"none of {len(brought.keys)} keys is one of the corpus's",
            wanted="SHA-256, view id or path of films; text, its SHA-256 or id of sentences and reports",
            where=str(table),
        )


def _text_row(rows: dict[str, int], text: str, own: str) -> int | None:
    joined = " ".join(text.split())
    digests = (hashlib.sha256(form.encode()).hexdigest() for form in (text, joined))
    return _first(rows, text, joined, own, *digests)


def _first(rows: dict[str, int], *keys: str | None) -> int | None:
    return next((rows[key] for key in keys if key is not None and key in rows), None)


def _one_row_each(keys: list[tuple[str, int]], unit: Vectors, path: Path) -> dict[str, int]:
    """Key -> row; equal rows of one key are one."""
    rows: dict[str, int] = {}
    torn = set()
    for key, row in keys:
        held = rows.setdefault(key, row)
        if held != row and np.abs(unit[held] - unit[row]).max() > _SAME:
            torn.add(key)
    if torn:
        raise MismatchError(
            f"{len(torn)} keys have rows that differ", wanted="one row a key", where=str(path)
        )
    if not rows:
        raise MismatchError("no row has a key", wanted="a key for each row", where=str(path))
    return rows


def _parquet_table(path: Path) -> tuple[list[tuple[str, int]], NDArray[np.float32]]:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise XemplarError(
            f"can't be read ({type(error).__name__})", wanted="Parquet", where=str(path)
        ) from error
    names = [name for name in KEY_COLUMNS if name in table.column_names]
    columns = [name for name in VECTOR_COLUMNS if name in table.column_names]
    if not names or len(columns) != 1:
        raise MismatchError(
            f"columns {', '.join(table.column_names)}",
            wanted=f"one of {', '.join(VECTOR_COLUMNS)}, and keys: any of {', '.join(KEY_COLUMNS)}",
            where=str(path),
        )
    keys = [
        (str(value), row)
        for name in names
        for row, value in enumerate(table.column(name).to_pylist())
        if value is not None and str(value)
    ]
    return keys, _matrix(table.column(columns[0]), columns[0], path)


def _matrix(column: Any, name: str, path: Path) -> NDArray[np.float32]:  # noqa: ANN401  pyarrow has no types
    kind = column.type
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not listed or not (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
        raise MismatchError(f"{name} is {kind}", wanted="lists of numbers", where=str(path))
    whole = column.combine_chunks()
    lengths = sorted({length or 0 for length in pc.list_value_length(whole).unique().to_pylist()})
    if len(lengths) != 1 or lengths[0] == 0:
        raise MismatchError(
            f"{name} has rows of {', '.join(map(str, lengths[:5])) or 'no'} numbers",
            wanted="rows of one length",
            where=str(path),
        )
    values = np.asarray(whole.flatten().to_numpy(zero_copy_only=False), np.float32)
    return values.reshape(-1, lengths[0])


def _numpy_table(path: Path, ids: Path | str | None) -> tuple[list[tuple[str, int]], NDArray[np.float32]]:
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise XemplarError(
            f"can't be read ({type(error).__name__})", wanted="an array of numbers", where=str(path)
        ) from error
    if (
        not isinstance(vectors, np.ndarray)
        or vectors.ndim != 2
        or vectors.dtype.kind not in "fiu"
        or not vectors.size
    ):
        raise MismatchError("no table of numbers", wanted="an array (n, dim)", where=str(path))
    if ids is None:
        raise XemplarError("an .npy without its keys", where=str(path), remedy="name their list: --ids FILE")
    keys = _listed(Path(ids))
    if len(keys) != len(vectors):
        raise MismatchError(f"{len(keys)} keys for {len(vectors)} rows", wanted="one each", where=str(ids))
    return list(zip(keys, range(len(keys)), strict=True)), vectors.astype(np.float32)


def _listed(path: Path) -> list[str]:
    if path.suffix not in LIST_SUFFIXES:
        raise XemplarError(f"keys in a {path.suffix!r}", wanted=" or ".join(LIST_SUFFIXES), where=str(path))
    try:
        text = path.read_text(encoding="utf-8")
        keys = json.loads(text) if path.suffix == ".json" else text.splitlines()
    except (OSError, ValueError) as error:
        raise XemplarError(f"can't be read ({type(error).__name__})", where=str(path)) from error
    if not isinstance(keys, list) or not all(isinstance(key, str) and key for key in keys):
        raise MismatchError("keys that are no list of texts", wanted="one a row", where=str(path))
    return keys


def _write(out: Path, brought: Brought, found: _Found) -> None:
    sink = io.BytesIO()
    np.save(sink, brought.vectors, allow_pickle=False)
    write_atomic(out / "vectors.npy", sink.getvalue())
    rows = [(kind, key, row) for kind, keys in found.keys.items() for key, row in sorted(keys.items())]
    columns = {name: [row[place] for row in rows] for place, name in enumerate(_KEYS.names)}
    pq.write_table(pa.table(columns, schema=_KEYS), out / "keys.parquet", compression="zstd")
    sync_below(out)
