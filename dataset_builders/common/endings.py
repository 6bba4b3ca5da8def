"""How processes end: in order when a signal asks for it, and never later than the process that has started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
_REPEATED = 5.0
"""Seconds. Systems often send both signals, or one of them twice; all of them within this time are one request."""

_CLEANING = 30.0
"""Maximum time for a process to clean up after the end of its launcher, in seconds."""

_LAUNCHER = "DIALOGUE_CUBE_LAUNCHER"
"""Environment variable with the id of the process that launches a training."""

_LAUNCHED = (_LAUNCHER, "TORCHELASTIC_RUN_ID", "ACCELERATE_DYNAMO_USE_FULLGRAPH")
"""Environment variables that only launchers set: `dialogue-cube train`, `torchrun`, `accelerate launch`."""

_SET_PARENT_DEATH_SIGNAL = 1


class _Command:
    """State of the command that runs in this process.

    Attributes:
        process: Id of the process whose forked children end with it; None outside a command.
        received: Last signal that asked it to end.
        time: When that was, in seconds of the monotonic clock.
        forks_lastingly: Whether the thread that forks lasts as long as the process: its end is that of a parent, too.
    """

    process: int | None = None
    received: int | None = None
    time = 0.0
    forks_lastingly = True


class _Forking(threading.local):
    """State of a thread that forks.

    Attributes:
        mask: Signals that it held back before; None outside a command.
    """

    mask: set[int] | None = None


_FORKING = _Forking()


@contextmanager
def orderly_ending() -> Iterator[None]:
    """Handle SIGTERM and SIGHUP like Ctrl-C inside the block, and end all forked processes with this one.

    So `finally` blocks run and outputs are as documented. An ignored signal stays ignored (`nohup`). Outside the main
    thread, signals are left alone.

    Raises:
        SystemExit: A signal or Ctrl-C ended the block; the code is 128 plus its number, as in a shell.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    default = [number for number in _SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    before = _Command.process
    for number in default:
        signal.signal(number, _interrupt)
    _Command.process, _Command.received = os.getpid(), None
    try:
        yield
    except BaseException as error:
        # `datasets` raises a TimeoutError when it is interrupted while it waits for its processes
        number = _Command.received or (signal.SIGINT if _is_interrupt(error) else None)
        if number is None:
            raise
        raise SystemExit(128 + number) from None
    finally:
        _Command.process = before
        for number in default:
            signal.signal(number, signal.SIG_DFL)


def _is_interrupt(error: BaseException | None) -> bool:
    """Return whether an error is a KeyboardInterrupt, or was raised while one was handled."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def is_terminated() -> bool:
    """Return whether a signal other than that of Ctrl-C has interrupted this command; Ctrl-C reaches all processes."""
    return _Command.received is not None


def end_with_parent(parent: int) -> None:
    """Have Linux kill this process when its parent ends, even if that is killed. Other systems ignore it.

    Args:
        parent: Id of the process that has started this one; if it has ended already, so does this one.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


@contextmanager
def launching() -> Iterator[None]:
    """Let the processes that this one launches inside the block end with it, see `end_with_launcher`."""
    os.environ[_LAUNCHER] = str(os.getpid())
    try:
        yield
    finally:
        del os.environ[_LAUNCHER]


def end_with_launcher() -> None:
    """End this process in order, like SIGTERM, within a second after its launcher has ended. Without one, do nothing.

    If that takes too long, it is killed: a process that waits for the others on a graphics card handles no signal.
    """
    is_launched = any(name in os.environ for name in _LAUNCHED)
    parent = int(os.environ.pop(_LAUNCHER, 0)) or os.getppid()
    if is_launched and os.name == "posix":
        threading.Thread(target=_watch, args=(parent,), name="launcher", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_CLEANING)
    os.kill(os.getpid(), signal.SIGKILL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    is_repeated = _Command.received is not None and time.monotonic() - _Command.time < _REPEATED
    if not is_repeated:
        _Command.received, _Command.time = number, time.monotonic()
        raise KeyboardInterrupt


def _before_fork() -> None:
    """Hold signals back while a command forks: its handler would swallow one that reaches the new process too early."""
    _Command.forks_lastingly = threading.current_thread() is threading.main_thread()
    _FORKING.mask = None if _Command.process is None else signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _after_fork_in_parent() -> None:
    if _FORKING.mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _FORKING.mask)


def _after_fork() -> None:
    """Run in a forked process of a command: the signals end it at once, and so does the end of its parent."""
    if _Command.process is None:
        return
    for number in _SIGNALS:
        if signal.getsignal(number) is _interrupt:
            signal.signal(number, signal.SIG_DFL)
    _after_fork_in_parent()
    parent, _Command.process = _Command.process, os.getpid()
    if _Command.forks_lastingly:
        end_with_parent(parent)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork, after_in_parent=_after_fork_in_parent)
