"""Runs the commands of a page, so that a page shows only real output and its commands can be pasted.

A block ```sh that a block ```text or ```json follows is a command, and that block is its output. All commands of a page
run in one shell. Other blocks are for reading. Ids, times and the like differ between runs: they are compared by their
form.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_LINES = r"((?:(?!```).*\n)*)"
_BLOCKS = re.compile(rf"^```sh\n{_LINES}```\n\n```(text|json)\n{_LINES}```$", re.MULTILINE)
_FORMS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z"), "<time>"),
    (re.compile(r"wsk_[0-9a-f]{32}_[A-Za-z0-9_-]{43}"), "<key>"),
    (re.compile(r"[0-9a-f]{32}"), "<hex>"),
)
_TIMEOUT_S = 60


@dataclass
class Command:
    """A command of a page and the output that the page shows."""

    script: str
    shown: str


def commands(page: str) -> Iterator[Command]:
    for found in _BLOCKS.finditer(page):
        yield Command(found[1], found[3].strip("\n"))


def run(found: list[Command], folder: Path, environment: Mapping[str, str]) -> list[str]:
    """The real output of each command, in order."""
    mark = "=== end of output ==="
    script = "".join(f"{command.script}\nprintf '\\n{mark}\\n'\n" for command in found)
    done = subprocess.run(
        ["bash", "-eu"],
        input=script,
        cwd=folder,
        env=dict(environment),
        text=True,
        timeout=_TIMEOUT_S,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    return [output.strip("\n") for output in done.stdout.split(f"\n{mark}\n")[:-1]]


def normalized(output: str) -> str:
    for pattern, name in _FORMS:
        output = pattern.sub(name, output)
    return output


def with_outputs(page: str, outputs: list[str]) -> str:
    """The page with these outputs instead of those that it shows."""
    left = iter(outputs)
    return _BLOCKS.sub(lambda found: f"```sh\n{found[1]}```\n\n```{found[2]}\n{next(left)}\n```", page)
