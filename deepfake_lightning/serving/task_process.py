"""A process that does one task after another, asked and heard on an event loop without threads.

A task is a pickle. An answer is one, and the arrays of which it speaks: the pixels of a long clip
are neither copied nor do they hold the loop up.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import signal
import socket
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.context import ForkServerContext
from typing import Any, ParamSpec, Self, TypeVar

from deepfake_lightning.serving.task_line import AT_ONCE, Buffer, TaskLine, message, receive

P = ParamSpec("P")
T = TypeVar("T")

_END_SECONDS = 5.0
_OUT_OF_BAND = 5  # version of pickle that leaves arrays out


class ProcessDied(Exception):
    """A process has ended before it answered.

    Args:
        exit_code: as of :class:`multiprocessing.Process`: below 0 a signal; None if not known.
    """

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code


class TaskProcess:
    """A process, and this end of the line to it. Only one task at a time may run.

    Args:
        process: that has been started.
        line: to it.

    Attributes:
        is_free: whether it can be given a task: not while it works, nor when a task was given up.
    """

    def __init__(self, process: multiprocessing.process.BaseProcess, line: socket.socket) -> None:
        self._process = process
        self._socket = line
        self._line = TaskLine()
        self.is_free = True

    @classmethod
    def start(cls, context: ForkServerContext, prepare: Callable[[], None]) -> Self:
        """Start a process; this waits until it is there, and the first time for imports.

        Args:
            context: that makes it.
            prepare: is called in it, before its first task.
        """
        ours, theirs = socket.socketpair()
        with theirs:  # this process' copy: the end of the other one ends the line
            # Else it would wait in the middle of an answer for this end to read.
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, AT_ONCE)
            process = context.Process(target=_work, args=(theirs, prepare), daemon=True)
            process.start()
        return cls(process, ours)

    async def connect(self) -> None:
        """Listen to it on this event loop; then it can be given tasks."""
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: self._line, sock=self._socket)

    def has_ended(self) -> bool:
        """Return whether it ended while it had nothing to do."""
        return not self._line.is_open

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a function of a module returns there, or raise what it raises.

        Raises:
            ProcessDied: it ended at it.
        """
        self.is_free = False
        try:
            content, *buffers = await self._line.ask(pickle.dumps((function, args, kwargs)))
        except EOFError:
            await asyncio.to_thread(self._process.join, _END_SECONDS)
            raise ProcessDied(self._process.exitcode) from None
        self.is_free = True
        is_done, result = pickle.loads(content, buffers=buffers)
        if not is_done:
            raise result
        found: T = result
        return found

    def hang_up(self) -> None:
        """Give it no more tasks; on the event loop, before it is ended in another thread."""
        self.is_free = False
        self._line.close()

    def end(self) -> None:
        """End it, whatever it does, and cancel who waits for it; this waits a moment.

        Once it has ended, nothing happens.
        """
        self.hang_up()
        self._socket.close()
        with suppress(ValueError):  # it is closed already, or stuck in the kernel
            self._process.kill()
            self._process.join(_END_SECONDS)
            self._process.close()


def _work(line: socket.socket, prepare: Callable[[], None]) -> None:
    """Do tasks until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; who asks ends this
    prepare()
    with suppress(EOFError, ConnectionError):
        while True:
            (task,) = receive(line)
            for part in _answer(task):
                line.sendall(part)
            del task  # while it waits for the next one


def _answer(task: memoryview) -> Sequence[Buffer]:
    buffers: list[pickle.PickleBuffer] = []
    try:
        function, args, kwargs = pickle.loads(task)
        done: tuple[bool, Any] = True, function(*args, **kwargs)
        content = pickle.dumps(done, _OUT_OF_BAND, buffer_callback=buffers.append)
    except Exception as error:
        error.add_note(traceback.format_exc())
        buffers.clear()
        content = _dumped(error)
    return message([content, *(buffer.raw() for buffer in buffers)])


def _dumped(error: Exception) -> bytes:
    """Return an error that can be raised elsewhere; one that cannot be sent as what it says."""
    try:
        content = pickle.dumps((False, error))
        pickle.loads(content)
    except Exception:
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return content
