"""Runs the ```console blocks of a page, so that a page shows only real output.

A line that begins with ``$ `` is a command, ``> `` continues it, and what follows is its output. All commands of a page
run in one shell. Ids, times and the like differ between runs: they are compared by their form.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FORMS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z"), "<time>"),
)
_TIMEOUT_S = 60


@dataclass
class Command:
    """A command of a page and the output that the page shows."""

    script: str
    shown: str


def commands(page: str) -> Iterator[Command]:
    for block in _BLOCK.finditer(page):
        for part in re.split(r"^\$ ", block[1], flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            size = 1 + next(
                (i for i, line in enumerate(lines[1:]) if not line.startswith("> ")), len(lines) - 1
            )
            script = "\n".join([lines[0], *(line[2:] for line in lines[1:size])])
            yield Command(script, "\n".join(lines[size:]))


def run(found: list[Command], folder: Path, environment: Mapping[str, str]) -> list[str]:
    """The real output of each command, in order."""
    mark = "=== end of output ==="
    script = "".join(f"{command.script}\nprintf '\\n{mark}\\n'\n" for command in found)
    done = subprocess.run(
        ["bash"],
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

    def block(match: re.Match[str]) -> str:
        text = ""
        for command in commands(match[0]):
            lines = command.script.split("\n")
            text += "\n".join([f"$ {lines[0]}", *(f"> {line}" for line in lines[1:])]) + "\n"
            output = next(left)
            text += f"{output}\n" if output else ""
        return f"```console\n{text}```"

    return _BLOCK.sub(block, page)
