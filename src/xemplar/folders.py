"""What every folder of ours has in common: one manifest, swapped atomically, that lists its files.

Knows manifests, fingerprints, hashes and locks; knows nothing of what a folder is for. A manifest is
a JSON object with `kind`, `version` and `generation`; whatever it does not list does not exist.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from xemplar.contracts import Json
from xemplar.errors import MismatchError, XemplarError


def fingerprint(value: object) -> str:
    """16 hex digits of the SHA-256 of a value's canonical JSON."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def describe_file(path: Path) -> Json:
    """The entry by which a manifest lists a file: its size and SHA-256."""
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a kill at any moment leaves the old bytes or the new ones.

    `mode` (less the umask) holds from the file's first moment on.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _unwritable(path, error) from error
    sync_folder(path.parent)


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file written bit by bit that takes the place of `path` once it is whole.

    An interruption leaves what was there; what the machine refuses is told in one line.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with refusals_told(path):
        try:
            with temporary.open("w", encoding="utf-8", newline="") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def check_new(folder: Path, *, but: str) -> None:
    """Refuse a folder that holds more than a lock, a killed writer's leftovers and names like `but`."""
    if any(not re.fullmatch(rf"\.lock|{_LEFTOVER}|{but}", path.name) for path in folder.iterdir()):
        raise XemplarError("the folder holds other files", wanted="a new or empty folder", where=str(folder))


def clear_leftovers(folder: Path) -> None:
    """Remove what killed writers left half written; only in a folder of ours, and while `writing`."""
    for path in folder.rglob(".*.tmp"):
        if re.fullmatch(_LEFTOVER, path.name):
            path.unlink()


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_below(folder: Path) -> None:
    """Make every file and name below a folder durable, whoever wrote it."""
    for path in sorted(folder.rglob("*"), reverse=True):
        sync_folder(path)
    sync_folder(folder)


def publish(folder: Path, name: str, manifest: Json) -> None:
    """Swap a folder's manifest, with the checksum of all else in it; from here on readers see the new one."""
    write_atomic(
        folder / name, manifest_bytes({**unsealed(manifest), "checksum": manifest_checksum(manifest)})
    )


def manifest_bytes(manifest: Json) -> bytes:
    """A manifest as it is written: every byte of the file is known."""
    return (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()


def manifest_checksum(manifest: Json) -> str:
    """Fingerprint of a manifest without its own checksum."""
    return fingerprint(unsealed(manifest))


def unsealed(manifest: Json) -> Json:
    """A manifest without its own checksum."""
    return {name: value for name, value in manifest.items() if name != "checksum"}


def is_whole(manifest: Json, data: bytes) -> bool:
    """Whether a manifest's bytes are those that `publish` wrote.

    Of one that has no checksum, as older programs wrote it, nothing is known, and it passes.
    """
    if "checksum" in manifest:
        return manifest["checksum"] == manifest_checksum(manifest) and manifest_bytes(manifest) == data
    # A checksum under another name is one whose own name is damaged.
    last = next(reversed(manifest), None)
    return last is None or manifest[last] != fingerprint({k: v for k, v in manifest.items() if k != last})


def read_manifest(folder: Path, name: str, *, kind: str, version: int) -> Json:
    """Read a manifest of the wanted kind and version, or say which of both it isn't.

    Its checksum is compared and left out.
    """
    manifest, data = read_unchecked(folder, name, kind=kind, version=version)
    check_whole(folder / name, manifest, data)
    return unsealed(manifest)


def read_unchecked(folder: Path, name: str, *, kind: str, version: int) -> tuple[Json, bytes]:
    """A manifest of the wanted kind and version as it stands, its checksum not compared, and its bytes."""
    path = folder / name
    if not folder.is_dir():
        raise XemplarError(f"no such {kind} folder", where=str(folder))
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise none_in(folder, name, kind=kind) from None
    except OSError as error:
        raise _unreadable(folder, name, error) from None
    return parsed(data, folder, name, kind=kind, version=version), data


def none_in(folder: Path, name: str, *, kind: str) -> XemplarError:
    """What is told of a folder without the manifest wanted."""
    wanted, remedy = f"{_a(kind)} folder", _MADE_BY.get(kind, "")
    return XemplarError(f"no {name} in it", wanted=wanted, where=str(folder), remedy=remedy)


def _unreadable(folder: Path, name: str, error: Exception) -> XemplarError:
    return XemplarError(f"{name} is not readable JSON ({type(error).__name__})", where=str(folder))


def parsed(data: bytes, folder: Path, name: str, *, kind: str, version: int) -> Json:
    """The manifest called `name` that bytes are, of the wanted kind and version, or which it isn't."""
    try:
        manifest = json.loads(data)
    except ValueError as error:
        raise _unreadable(folder, name, error) from None
    if not isinstance(manifest, dict) or manifest.get("kind") != kind:
        raise MismatchError(
            f"{name} does not describe {_a(kind)}", wanted=f"{_a(kind)} folder", where=str(folder)
        )
    if manifest.get("version") != version:
        raise MismatchError(
            f"{kind} of version {manifest.get('version')}",
            wanted=f"version {version}",
            where=str(folder),
            remedy="make it again with this program, or open it with the one that made it",
        )
    return dict(manifest)


def _a(kind: str) -> str:
    """The kind of a folder, with its article."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def check_whole(path: Path, manifest: Json, data: bytes) -> None:
    """Raise MismatchError for a manifest whose bytes are not those that were written."""
    if not is_whole(manifest, data):
        raise MismatchError(
            f"{path.name}: its bytes are not those that were written (its checksum differs)",
            wanted="it as it was published",
            where=str(path.parent),
            remedy="put it back as it was, or make the folder again",
        )


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold a folder for writing; a second writer is told so at once, and a full disk in one line."""
    with refusals_told(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise _unwritable(folder, error) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise XemplarError(
                    "another process is writing here",
                    where=str(folder),
                    remedy="wait for it to end, or stop it",
                ) from None
            yield
        finally:
            os.close(handle)


@contextmanager
def refusals_told(folder: Path) -> Iterator[None]:
    """Tell in one line, by the folder's name, what the machine refuses while it is written.

    A full disk, a quota, a file too large, a right that is missing: whichever library meets it, and
    however it says so. Everything else passes as it is.
    """
    try:
        yield
    except XemplarError:
        raise
    except Exception as error:
        refused = _refusal(folder, error)
        if refused is None:
            raise
        raise _unwritable(folder, refused) from refused


_LEFTOVER = r"\..+\.\d+\.tmp"
"""What `write_atomic` names a file before it is whole."""

_MADE_BY = {
    "corpus": "`xemplar ingest` makes one",
    "model": "`xemplar train` makes one",
    "index": "`xemplar index` makes one",
    "calibration": "`xemplar calibrate` makes one",
    "classifier": "`xemplar calibrate` makes one",
}


def _unwritable(path: Path, error: OSError) -> XemplarError:
    reason = error.strerror or type(error).__name__
    return XemplarError(f"cannot be written ({reason})", where=str(path))


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What only a write is ever refused with."""

_FORBIDDEN = (
    errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EIO,
    errno.ENAMETOOLONG,
)  # fmt: skip


def _refusal(folder: Path, error: Exception) -> OSError | None:
    """What the machine refused, if that is what the error is about and the folder is where."""
    if isinstance(error, OSError) and error.errno is not None:
        inside = error.filename is None or _is_below(folder, error.filename)
        if (error.errno in _FULL and inside) or (error.errno in _FORBIDDEN and error.filename and inside):
            return error
        return None
    # Libraries in other languages hand on the system's own words, or its number.
    text = str(error)
    for number in _FULL:
        if os.strerror(number) in text or f"os error {number})" in text:
            return OSError(number, os.strerror(number))
    # numpy says only that fewer bytes were written than asked for; the system is asked why.
    if isinstance(error, OSError) and re.search(r"\d+ requested and \d+ written", text):
        return _asked_why(folder)
    return None


def _asked_why(folder: Path) -> OSError:
    probe = folder / f".probe.{os.getpid()}.tmp"
    try:
        probe.write_bytes(bytes(1 << 16))
    except OSError as error:
        return error
    finally:
        probe.unlink(missing_ok=True)
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _is_below(folder: Path, name: object) -> bool:
    if not isinstance(name, str | bytes | os.PathLike):
        return False
    return Path(os.path.abspath(os.fsdecode(name))).is_relative_to(os.path.abspath(folder))


def read_listed(folder: Path, kind: str, *, version: int) -> Json:
    """A folder's manifest, `kind`.json, every file of which is the one that it lists."""
    name = f"{kind}.json"
    manifest = read_manifest(folder, name, kind=kind, version=version)
    check_listed(folder, manifest["files"], name)
    return manifest


def check_listed(folder: Path, files: Json, name: str) -> None:
    """Raise MismatchError for the first file that isn't the one that the manifest called `name` lists."""
    for listed, entry in files.items():
        path = folder / listed
        if not path.exists() or file_sha256(path) != entry["sha256"]:
            raise changed(folder, listed, name)


def changed(folder: Path, listed: str, name: str) -> MismatchError:
    """What is told of a file that isn't the one that the manifest called `name` lists."""
    return MismatchError(
        f"{listed} is missing or changed", wanted=f"the file its {name} lists", where=str(folder)
    )


def read_finished(folder: Path, kind: str, *, version: int, origin: str, what: str) -> Json:
    """The manifest, `kind`.json, of what an earlier call finished; one of another origin is refused.

    `what` names such a one: "model of another recipe or corpus".
    """
    manifest = read_manifest(folder, f"{kind}.json", kind=kind, version=version)
    if manifest.get("origin") != origin:
        raise MismatchError(f"a finished {what}", wanted="a new folder", where=str(folder))
    return manifest
