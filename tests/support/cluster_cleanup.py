"""Stops and removes the tests' clusters when its standard input closes: the tests ended, or were killed."""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

LONGEST_STOP_S = 20


def postmaster(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main(base: Path) -> None:
    sys.stdin.read()
    for listed in base.glob("pids/*"):
        with suppress(OSError, ValueError):
            os.kill(int(listed.read_text()), signal.SIGKILL)
    running = [pid for data in base.glob("*/data") if (pid := postmaster(data)) is not None]
    for pid in running:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
    deadline = time.monotonic() + LONGEST_STOP_S
    while any(map(is_alive, running)) and time.monotonic() < deadline:
        time.sleep(0.02)
    shutil.rmtree(base)


if __name__ == "__main__":
    # Ctrl-C goes to the whole process group. This process ends when the tests close its input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main(Path(sys.argv[1]))
