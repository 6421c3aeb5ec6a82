"""What the machine refuses, and who else is there: one clear line, nothing broken, and it goes on after."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from handmade import content, corpus_of, many, settings
from xemplar.corpus import Corpus, ingest
from xemplar.errors import XemplarError
from xemplar.folders import refusals_told, writing

FULL = os.strerror(errno.ENOSPC)

VERBS = """
    import json, os, sys, traceback
    from pathlib import Path
    from xemplar.cli import main

    def verb(*arguments, before=lambda: None):
        # A child of its own for each verb: (exit code, what it said).
        said, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.dup2(told, 1), os.dup2(told, 2), os.close(said)
            code = 70
            try:
                before()
                main([str(one) for one in arguments])
            except SystemExit as stopped:
                code = stopped.code or 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush(), sys.stderr.flush()
                os._exit(code)
        os.close(told)
        with open(said, errors="replace") as stream:
            text = stream.read()
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text

    def nobody():
        os.setgroups([]), os.setgid(65534), os.setuid(65534)
"""

SMALL = (Path(__file__).parents[1] / "small.toml").read_text()

WALK = """
    # Loaded once, for all the children.
    import xemplar.cli.verbs, xemplar.index, xemplar.training.loop, xemplar.sources.phantom, xemplar.terminal

    # Every verb on a disk that is full, on one that may not be written, and once there is room.
    # Prints a JSON object: verb -> (code, text) of each, in this order.
    small, work, size = Path(sys.argv[1]), Path(sys.argv[2]), "16m"
    os.umask(0o022)
    mount = lambda *words: os.system("mount " + " ".join(map(str, words))) and sys.exit("no mount")
    mount("-t tmpfs -o mode=755,size=" + size, "none", small)
    lines = {
        "ingest": ["ingest", "phantom", "--studies", "16", "--preview-size", "64", "--workers", "1"],
        "train": ["train", small / "ingest", "--recipe", work / "small.toml"],
        "index": ["index", small / "ingest", "--model", small / "train"],
    }
    told = {}
    for name, line in lines.items():
        out = small / name
        ballast = small / "ballast"
        line = [*line, "--out", out]
        def fill(left):
            with open(ballast, "wb") as stream:
                free = os.statvfs(small).f_bavail * os.statvfs(small).f_bsize
                stream.write(bytes(max(0, free - left)))
        fill(1 << 15)  # so much that it can begin
        told[name] = [verb(*line)]
        ballast.unlink()
        mount("-o remount,ro", small)
        told[name].append(verb(*line))
        mount("-o remount,rw", small)
        told[name].append(verb(*line))
    print(json.dumps(told))
"""


def run(script: str, *arguments: object, inside: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    script = textwrap.dedent(VERBS) + textwrap.dedent(script)
    return subprocess.run(
        [*inside, sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """What each verb says on a small file system of its own; (folder, verb -> [(exit code, text)])."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "small").mkdir()
    (folder / "small.toml").write_text(SMALL)
    apart = ("unshare", "--map-root-user", "--mount")
    if subprocess.run([*apart, "mount", "-t", "tmpfs", "none", folder / "small"], check=False).returncode:
        pytest.skip("no file system may be mounted here")
    done = run(WALK, folder / "small", folder, inside=apart)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "small", json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("verb", ["ingest", "train", "index"])
def test_a_full_disk_and_a_read_only_one_are_told_in_a_line_and_it_goes_on_after(refused, verb):
    small, told = refused
    full, read_only, (code, text) = told[verb]
    for (ended, said), why in ((full, FULL), (read_only, "Read-only file system")):
        (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
        assert ended == 1 and "Traceback" not in said
        assert line.startswith(f"error: {small / verb}") and line.endswith(f"cannot be written ({why})")
    assert code == 0, text


NOBODY = """
    # Loaded before the right to read them is gone as well.
    import importlib.readers, xemplar.cli.verbs, xemplar.sources.phantom, xemplar.terminal, xemplar.corpus
    folder = Path(sys.argv[1])
    line = ["ingest", "phantom", "--studies", "3", "--preview-size", "64", "--workers", "1"]
    before = nobody if os.geteuid() == 0 else lambda: None
    print(json.dumps(verb(*line, "--out", folder, before=before)))
"""


def test_a_folder_without_the_right_to_write_is_told_in_a_line(tmp_path_factory):
    folder = tmp_path_factory.mktemp("closed")
    folder.chmod(0o555)
    for parent in list(folder.parents)[:2]:
        parent.chmod(0o755)
    code, said = json.loads(run(NOBODY, folder).stdout)
    assert (code, said.count("error: ")) == (1, 1) and "Traceback" not in said
    assert f"error: {folder}: cannot be written (Permission denied)" in said


# --- however a library says it -----


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, FULL),
        OSError(f"[Errno 28] Error writing bytes to file. Detail: [errno 28] {FULL}"),
        RuntimeError(f"Error: 'ret == size' failed: write error in x: 1 != 2 ({FULL})"),
        Exception("I/O error: rust says so (os error 28)"),
    ],
)
def test_a_full_disk_is_told_however_it_is_said(tmp_path, error):
    with (
        pytest.raises(XemplarError, match=rf"cannot be written \({FULL}\)") as raised,
        refusals_told(tmp_path),
    ):
        raise error
    assert isinstance(raised.value.__cause__, OSError) and raised.value.where == str(tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a defect of ours"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/elsewhere/film.png"),
        PermissionError(errno.EACCES, "Permission denied", "/elsewhere/film.png"),
        OSError(errno.ENOSPC, FULL, "/elsewhere/temporary"),
    ],
)
def test_what_is_not_about_the_folder_passes(tmp_path, error):
    with pytest.raises(type(error)) as raised, refusals_told(tmp_path):
        raise error
    assert raised.value is error


def test_numpy_that_writes_less_than_asked_for_is_told_as_what_it_is(tmp_path):
    """It says only how many items it wrote; a limit of file sizes stands in for the full disk."""
    script = """
        import resource, signal, sys
        from pathlib import Path
        import numpy as np
        from xemplar.errors import XemplarError
        from xemplar.folders import writing
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, 1 << 15))
        try:
            with writing(Path(sys.argv[1])):
                np.save(Path(sys.argv[1]) / "much.npy", np.zeros(1 << 20))
        except XemplarError as error:
            print(error)
    """
    assert run(script, tmp_path).stdout == f"{tmp_path}: cannot be written (File too large)\n"


# --- the old generation stays, and what was cut off goes on -----


def test_an_ingest_met_by_a_full_disk_keeps_its_generation_and_goes_on(tmp_path, monkeypatch):
    whole = content(corpus_of(many(20), tmp_path / "whole", segment_size=4))
    corpus_of(many(8), tmp_path / "c", segment_size=4)
    real, left = os.fsync, [7]

    def full(handle):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, FULL)
        real(handle)

    with monkeypatch.context() as patch, pytest.raises(XemplarError, match=FULL):
        patch.setattr(os, "fsync", full)
        ingest(many(20), tmp_path / "c", settings(segment_size=4))
    kept = Corpus.open(tmp_path / "c")
    assert kept.check() == [] and len(kept.studies) == 8
    ingest(many(20), tmp_path / "c", settings(segment_size=4))
    assert content(Corpus.open(tmp_path / "c")) == whole
    assert list((tmp_path / "c").rglob("*.tmp")) == []


# --- who else is there, and being stopped -----


def command(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "xemplar", *map(str, arguments)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def drawn(folder: Path, workers: int, studies: int = 600) -> list[object]:
    line = ["ingest", "phantom", "--studies", studies, "--preview-size", 64, "--workers", workers]
    return [*line, "--out", folder]


def test_of_two_ingests_the_second_is_told_at_once_and_the_first_is_not_harmed(tmp_path):
    first = command(*drawn(tmp_path / "c", 1, studies=40))
    deadline = time.monotonic() + 60
    while not (tmp_path / "c/corpus.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    began = time.monotonic()
    with pytest.raises(XemplarError, match="another process is writing here; wait for it to end, or stop it"):
        ingest(many(1), tmp_path / "c", settings())
    assert time.monotonic() - began < 1.0
    first.communicate(timeout=120)
    corpus = Corpus.open(tmp_path / "c")
    assert first.returncode == 0 and len(corpus.studies) == 40 and corpus.check() == []


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "stopped")])
@pytest.mark.parametrize("later", [0.0, 0.4])
def test_stopped_it_says_so_in_a_line_and_nobody_is_left(tmp_path, number, word, later):
    process = command(*drawn(tmp_path / "c", 2))
    deadline = time.monotonic() + 60
    while not (tmp_path / "c").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(later)
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=30)  # ends only when whoever holds its stderr has ended
    assert process.returncode == 128 + number
    assert (
        said.splitlines()[-1] == f"{word}; what is on disk is whole, and the same command can be given again"
    )
    assert "Traceback" not in said and "Exception ignored" not in said
    with writing(tmp_path / "c"):
        pass  # nobody holds it any more
