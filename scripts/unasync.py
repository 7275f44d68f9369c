#!/usr/bin/env python3
"""Generates the client for threads (wallet_client/_sync) from the one for asyncio (wallet_client/_async).

With --check nothing is written: files that are not up to date are listed, and the exit status is 1.

The package ``unasync`` of PyPI is not used. It replaces whole tokens, so quoted annotations
(``"AsyncPages[Wallet]"``) become wrong and docstrings do not change, and it needs setuptools. Here one substitution for
each difference applies to code, annotations and docstrings. Then ruff sorts and formats.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "clients" / "python" / "src" / "wallet_client"

FIRST_PARTY = "lint.isort.known-first-party = ['wallet_client']"
"""An option of ruff, which would otherwise look for the package in a folder that may not exist yet."""

HEADER = "# Generated from wallet_client/_async/{name} by scripts/unasync. Change that file, and run scripts/unasync.\n"

SUBSTITUTIONS = (
    (r"\basync (?=(def|for|with)\b)", ""),
    (r"\bawait ", ""),
    (r"\bAsync(?=[A-Z])", ""),  # AsyncWalletClient, AsyncIterator, httpx.AsyncBaseTransport
    (r"\b_async(?=(_io)?\b)", "_sync"),
    (r"\b__a(?=(enter|exit|iter|next)__)", "__"),
    (r"\baclose\b", "close"),
)

SENTENCES = {
    "Calls the wallet service; for asyncio code. Tasks and event loops may share it.": (
        "Calls the wallet service. Threads may share it."
    ),
    "Each event loop, and each process after a fork, has connections of its own.": (
        "Each process has connections of its own, also after a fork."
    ),
    "It belongs to the event loop and process that use it first.": (
        "It belongs to the process that uses it first."
    ),
    "The client for asyncio. ``_sync`` is generated from this package by ``scripts/unasync``.": (
        "The client for threads."
    ),
}
"""Sentences of docstrings that differ between the clients."""


def generated() -> dict[str, str]:
    """The files of ``_sync``, by name.

    Raises:
        ValueError: a sentence of ``SENTENCES`` is in no file of ``_async``.
    """
    sources = {path.name: path.read_text() for path in sorted((PACKAGE / "_async").glob("*.py"))}
    for sentence in SENTENCES:
        if not any(sentence in text for text in sources.values()):
            raise ValueError(f"no file of _async has the sentence: {sentence}")
    return {
        name: _formatted(name, HEADER.format(name=name) + _converted(text)) for name, text in sources.items()
    }


def outdated(files: dict[str, str], folder: Path) -> list[str]:
    """The names of the files in which the folder differs from what is generated."""
    present = {path.name: path.read_text() for path in folder.glob("*.py")}
    return sorted(name for name in files.keys() | present.keys() if files.get(name) != present.get(name))


def write(files: dict[str, str], folder: Path) -> None:
    """Write the generated files to the folder, and delete all others."""
    folder.mkdir(exist_ok=True)
    for name in outdated(files, folder):
        if name in files:
            (folder / name).write_text(files[name])
        else:
            (folder / name).unlink()


def main(arguments: list[str]) -> int:
    """Write or compare the files, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a file is not up to date"
    )
    files, folder = generated(), PACKAGE / "_sync"
    if not parser.parse_args(arguments).check:
        write(files, folder)
    elif names := outdated(files, folder):
        sys.stderr.write(
            f"Not up to date in {folder.relative_to(ROOT)}: {', '.join(names)}. Run scripts/unasync\n"
        )
        return 1
    return 0


def _converted(text: str) -> str:
    for sentence, other in SENTENCES.items():
        text = text.replace(sentence, other)
    for pattern, replacement in SUBSTITUTIONS:
        text = re.sub(pattern, replacement, text)
    return text


def _formatted(name: str, text: str) -> str:
    at = str(PACKAGE / "_sync" / name)
    # I001: the names sort differently. UP028: a loop with yield can be a "yield from" here, but not in a coroutine.
    fix = ("check", "--select", "I001,UP028", "--fix", "--unsafe-fixes", "--quiet", "--config", FIRST_PARTY)
    for command in (fix, ("format",)):
        run = (sys.executable, "-m", "ruff", *command, "--no-cache", "--stdin-filename", at, "-")
        text = subprocess.run(run, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout  # noqa: S603
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
