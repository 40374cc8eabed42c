"""Every measurement ends: by itself, or with a failure that says what took too long."""

import contextlib
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator


class Failure(Exception):
    """What went wrong, and what to do."""


class Busy(Failure):
    """The machine was too busy: another attempt may succeed."""


@contextlib.contextmanager
def within(seconds: float, what: str) -> Iterator[None]:
    """Ends what runs inside after `seconds`, whatever it does: a loop, a wait, a read. For the main thread; not nested."""

    def expire(_signal: int, _frame: object) -> None:
        raise Failure(f"{what} was not finished after {seconds:.0f} s, and was ended")

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def wait_for(what: str, seconds: float, condition: Callable[[], object], trouble: Callable[[], str] = str) -> None:
    """Waits for a condition. `trouble` says why it can no longer come true; nothing as long as it can."""
    deadline = time.monotonic() + seconds
    while not condition():
        if found := trouble():
            raise Failure(f"{what} did not happen: {found}")
        if time.monotonic() > deadline:
            raise Failure(f"{what} did not happen within {seconds:.0f} s: look at the logs (--keep DIR)")
        time.sleep(0.01)


def line_of(child: subprocess.Popen, what: str, seconds: float) -> str:
    """The next line that a child writes; its standard output is unbuffered (bufsize=0) and binary."""
    deadline, line = time.monotonic() + seconds, b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
            raise Failure(f"{what} did not happen within {seconds:.0f} s: look at the logs (--keep DIR)")
        byte = child.stdout.read(1)
        if not byte:
            raise Failure(f"{what} did not happen: the program ended with status {child.wait(5)}")
        line += byte
    return line.decode()


def run(words: list, what: str, seconds: float, **options) -> str:
    """Runs a program to its end, and returns its output."""
    try:
        return subprocess.run(
            list(map(str, words)), check=True, capture_output=True, text=True, timeout=seconds, **options
        ).stdout
    except subprocess.TimeoutExpired:
        raise Failure(f"{what} was not finished after {seconds:.0f} s, and was ended") from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "").strip().splitlines()
        raise Failure(f"{what} failed with status {error.returncode}: {said[-1] if said else 'it said nothing'}") from None
