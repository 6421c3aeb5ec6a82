"""Work in other processes: in order, and what ends a process costs the piece that it had in hand alone."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from xemplar.corpus import pool as room
from xemplar.corpus.pool import Lost, Pool


def worked(piece):
    """Doubles a number; a word is an order."""
    if piece == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if piece == "leave":
        os._exit(3)
    if piece == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if piece == "hang":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        while True:
            pass
    if piece == "eat":
        return len(bytearray(room.PIECE_BYTES + (1 << 20)))
    if piece == "raise":
        raise LookupError("of the piece's own")
    if piece == "lambda":
        return lambda: None
    if isinstance(piece, tuple):  # killed from outside, the first time
        path, number = piece
        if not os.path.exists(path):
            open(path, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * number
    return 2 * piece


def results(pieces, workers=2, **settings):
    pool = Pool(worked, workers, **settings)
    try:
        return list(pool.map(pieces))
    finally:
        pool.close()


def test_results_are_in_the_order_of_the_pieces():
    assert results(range(50)) == [2 * n for n in range(50)]


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ("crash", "crashes its decoder (SIGSEGV)"),
        ("leave", "crashes its decoder (exit code 3)"),
        ("killed", "had its decoder killed twice from outside, probably for want of memory"),
        ("hang", "takes longer than 1 s to decode"),
    ],
)
def test_a_lost_process_costs_the_piece_in_hand_alone(order, why):
    pieces = [*range(7), order, *range(8, 20)]
    wanted = [2 * n for n in range(7)] + [Lost(why)] + [2 * n for n in range(8, 20)]
    assert results(pieces, seconds=1) == wanted


def test_all_may_be_lost():
    assert results(["crash"] * 5) == [Lost("crashes its decoder (SIGSEGV)")] * 5


def test_a_process_killed_from_outside_once_costs_nothing(tmp_path):
    assert results([1, (str(tmp_path / "been"), 2), 3]) == [2, 4, 6]


def test_memory_is_bounded_and_what_asks_for_more_is_told():
    with pytest.raises(MemoryError):
        results(["eat"])


def test_an_exception_comes_back_with_where_it_was_raised():
    with pytest.raises(LookupError, match="of the piece's own") as raised:
        results([1, "raise", 3])
    assert "in worked" in raised.value.__notes__[0]


def test_an_answer_that_cannot_be_sent_is_an_error_and_not_a_crash():
    with pytest.raises(RuntimeError, match="an answer that can't be sent: function"):
        results(["lambda"])


def test_a_call_that_was_not_exhausted_is_not_mixed_with_the_next():
    pool = Pool(worked, 1)
    try:
        next(pool.map([1, "hang", 3]))
        with pytest.raises(RuntimeError, match="pieces of an earlier call"):
            next(pool.map([4]))
    finally:
        pool.close()


PARENT = """
    import sys
    from test_pool import worked
    from xemplar.corpus.pool import Pool
    if __name__ == "__main__":
        pool = Pool(worked, 2, seconds=2)
        list(pool.map([1, 2]))
        print(*(worker.process.pid for worker in pool._workers), flush=True)
        list(pool.map(["hang", 3]))
"""


def test_processes_end_when_the_one_that_hands_out_is_killed(tmp_path):
    (tmp_path / "parent.py").write_text(textwrap.dedent(PARENT))
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert parent.stdout is not None
    workers = [int(word) for word in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
