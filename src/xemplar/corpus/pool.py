"""Processes that decoders may crash, hang or swell in without taking the ingest along.

Knows processes, pipes, time and memory; knows nothing of what is worked on. Each process is handed one
piece at a time over a pipe of its own, so that it is always known which piece a lost one had in hand.
A piece that lasts too long is ended by the kernel's own alarm, which rings in native code as well and
needs nobody to watch. When the process that handed the work out ends, however it does, the pipe closes
and the others end too.
"""

from __future__ import annotations

import resource
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Generic, TypeVar

PIECE_SECONDS = 120
"""Longest that one piece may take."""

PIECE_BYTES = 3 << 30
"""Address space that a process may take beyond what it began with."""

_AHEAD = 2
"""Pieces given to a process at a time: the next one lies ready while a result is on its way."""

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class Lost:
    """Stands for the result of a piece that ended its process; `why` is a sentence's predicate."""

    why: str


@dataclass(eq=False)
class _Worker:
    """A process, its pipe, and the numbers of the pieces it was given, the first of them in hand."""

    process: BaseProcess
    pipe: Connection
    given: deque[int] = field(default_factory=deque)


class Pool(Generic[In, Out]):
    """`function` over pieces, in several processes; `seconds` is the longest that one may take.

    `function`, `prepare` (called once in each process) and the pieces are pickled, over pipes between our
    own processes alone. An exception that `function` raises is raised here.
    """

    def __init__(
        self,
        function: Callable[[In], Out],
        workers: int,
        *,
        prepare: Callable[[], None] | None = None,
        seconds: int = PIECE_SECONDS,
    ) -> None:
        self._function, self._prepare, self._seconds = function, prepare, seconds
        # Not fork: this process has threads (of pyarrow, of OpenCV) and locks of folders.
        self._context = get_context("forkserver")
        # Loaded once, for every process that is ever started, and not by each anew.
        self._context.set_forkserver_preload([getattr(function, "func", function).__module__])
        self._workers = [self._start() for _ in range(workers)]

    def map(self, pieces: Iterable[In]) -> Iterator[Out | Lost]:
        """Results in the order of the pieces; to be exhausted before the next call."""
        if any(worker.given for worker in self._workers):
            raise RuntimeError("the pool still has pieces of an earlier call in hand")
        waiting = dict(enumerate(pieces))
        turn, done = deque(waiting), {}
        tried: set[int] = set()
        for number in range(len(waiting)):
            while number not in done:
                self._hand_out(turn, waiting)
                for worker, answer in self._answers():
                    piece = worker.given.popleft()
                    if isinstance(answer, Lost):
                        # What lay behind the lost piece was never begun.
                        turn.extendleft(reversed(worker.given))
                        self._replace(worker)
                        if answer.why == _KILLED and piece not in tried:
                            tried.add(piece)  # killed from outside, and it need not be the piece's fault
                            turn.appendleft(piece)
                            continue
                    elif isinstance(answer, BaseException):
                        raise answer
                    done[piece] = answer
                    del waiting[piece]
            yield done.pop(number)

    def close(self) -> None:
        """End the processes, whatever they have in hand."""
        for worker in self._workers:
            worker.pipe.close()
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_work,
            args=(theirs, self._function),
            kwargs={"prepare": self._prepare, "seconds": self._seconds},
            daemon=True,
        )
        process.start()
        theirs.close()  # or the pipe would stay open when the process is gone
        return _Worker(process, ours)

    def _replace(self, worker: _Worker) -> None:
        worker.pipe.close()
        self._workers[self._workers.index(worker)] = self._start()

    def _hand_out(self, turn: deque[int], waiting: dict[int, In]) -> None:
        for ahead in range(_AHEAD):
            for worker in self._workers:
                if turn and len(worker.given) == ahead:
                    piece = turn.popleft()
                    worker.given.append(piece)
                    with suppress(OSError):  # a process that is gone is met when its answer is asked for
                        worker.pipe.send(waiting[piece])

    def _answers(self) -> Iterator[tuple[_Worker, Any]]:
        busy = {worker.pipe: worker for worker in self._workers if worker.given}
        for pipe in connection.wait(list(busy)):
            worker = busy[pipe]  # type: ignore[index]
            try:
                yield worker, worker.pipe.recv()
            except (EOFError, OSError):
                worker.process.join()
                yield worker, Lost(self._why(worker.process.exitcode))

    def _why(self, code: int | None) -> str:
        if code == -signal.SIGALRM:
            return f"takes longer than {self._seconds} s to decode"
        if code in (-signal.SIGKILL, -signal.SIGTERM):
            return _KILLED
        name = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return f"crashes its decoder ({name})"


_KILLED = "had its decoder killed twice from outside, probably for want of memory"


def _work(
    pipe: Connection, function: Callable[[Any], Any], *, prepare: Callable[[], None] | None, seconds: int
) -> None:
    # Ctrl-C is for the process that hands out the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if prepare is not None:
        prepare()
    _limit_memory()
    while True:
        try:
            piece = pipe.recv()
        except (EOFError, OSError):
            return
        signal.alarm(seconds)
        answer: Any
        try:
            answer = function(piece)
        except Exception as error:
            error.add_note(traceback.format_exc())
            answer = error
        signal.alarm(0)
        _send(pipe, answer)


def _send(pipe: Connection, answer: Any) -> None:  # noqa: ANN401  whatever the function returns
    try:
        pipe.send(answer)
    except OSError:  # nobody is left to hear it
        return
    except Exception as error:  # what can't be pickled: an exception of somebody else's, most likely
        pipe.send(RuntimeError(f"an answer that can't be sent: {type(answer).__name__} ({error})"))


def _limit_memory() -> None:
    """So that one image's appetite is its own failure, not the machine's."""
    held = Path("/proc/self/statm")
    if not held.exists():  # no such account is kept here
        return
    wanted = int(held.read_text().split()[0]) * resource.getpagesize() + PIECE_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))
