"""CPU time and memory of other processes, from Linux; without results on other systems."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

_SCHEDULED = 2  # with a process id it gives the clock id of clock_getcpuclockid(3)
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM = 1, 11, 12, 13, 14  # after the command's name


def process_s(pid: int) -> float | None:
    """CPU seconds of all threads of a process, also ended ones; None when they can't be read."""
    try:
        return time.clock_gettime(~pid << 3 | _SCHEDULED)
    except OSError:
        return None


def family_s(pid: int) -> float | None:
    """CPU seconds of a process and its children, also ended ones; None as with ``process_s``."""
    own = process_s(pid)
    fields = _fields(pid)
    if own is None or fields is None:
        return None
    ended = (int(fields[_CHILDREN_USER]) + int(fields[_CHILDREN_SYSTEM])) * _TICK_S
    return own + ended + sum(process_s(child) or 0.0 for child in _children(pid))


def peak_rss_bytes(pid: int) -> int | None:
    """The peak memory of a process so far."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def snapshot(
    service_pid: int | None, postgres_pid: int | None, rest_pids: Sequence[int] = ()
) -> dict[str, float]:
    """CPU seconds so far of this process (client) and of those that can be read."""
    seen = {
        "service": process_s(service_pid) if service_pid is not None else None,
        "rest": sum(process_s(pid) or 0.0 for pid in rest_pids) if rest_pids else None,
        "postgres": family_s(postgres_pid) if postgres_pid is not None else None,
    }
    return {"client": time.process_time()} | {
        name: value for name, value in seen.items() if value is not None
    }


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        pass  # a kernel without that file
    processes = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    found = ((other, _fields(other)) for other in processes)
    return [other for other, fields in found if fields is not None and int(fields[_PARENT]) == pid]


def _fields(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
