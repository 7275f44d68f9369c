"""The commands of pages, run as a reader pastes them. UPDATE_PAGES=1 writes what they print into the page."""

import contextlib
import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Generator
from pathlib import Path

import pytest
from support.page_commands import commands, normalized, run, with_outputs
from support.service import serving

from wallet_service.platform.vault.keys import generate_key

ROOT = Path(__file__).parent.parent


def make_clone(folder: Path) -> dict[str, str]:
    """What a reader's commands find in a clone after ``scripts/run``. Returns the environment of the commands.

    New virtual environments see the packages of this one: pip finds what it is asked for, and fetches nothing.
    """
    for name in ("clients", "docs"):
        (folder / name).symlink_to(ROOT / name)
    command = folder / "scripts" / "wallet-service"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m wallet_service "$@"\n')
    command.chmod(0o755)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    these = sysconfig.get_path("purelib")
    packages = f"lib/python{sysconfig.get_python_version()}/site-packages"
    python.write_text(
        f'#!/bin/sh -e\n"{sys.executable}" "$@" --without-pip\necho "{these}" >"$3/{packages}/these.pth"\n'
    )
    python.chmod(0o755)
    # pip reads 0 as "no isolation": the variable sets the option, which is called build isolation.
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {"PATH": os.environ["PATH"], **offline}


@contextlib.contextmanager
def payment_service() -> Generator[str, None, None]:
    """The address of a stand-in for the payment service, as ``scripts/stand-ins`` runs it."""
    command = [sys.executable, str(ROOT / "tests" / "support" / "stand_in.py"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.kill()


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "docs/api.md",
        "docs/how-to.md",
        "docs/files.md",
        "docs/jobs.md",
        "docs/vault.md",
        "docs/events.md",
        "docs/audit.md",
        "docs/webhooks.md",
        "docs/limits.md",
        "docs/alerts.md",
        "docs/grants.md",
        "docs/holds.md",
        "docs/rated-usage.md",
        "docs/top-ups.md",
        "docs/books.md",
        "docs/exchange.md",
        "docs/parts.md",
        "docs/rules.md",
        "docs/budgets.md",
    ],
)
def test_the_page_shows_what_its_commands_print(name: str, own_folder: Path) -> None:
    page = (ROOT / name).read_text()
    found = list(commands(page))
    environment = make_clone(own_folder)
    keys = generate_key("k1")
    settings = {"WALLET_CREDENTIAL_KEYS": keys, "WALLET_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8"}
    with (
        payment_service() as payments,
        serving(own_folder / "data", WALLET_PAYMENT_URL=payments, **settings) as service,
    ):
        environment |= {"WALLET_URL": service.url, "WALLET_API_KEY": service.key}
        environment |= {"WALLET_DATA_DIR": str(own_folder / "data"), "WALLET_CREDENTIAL_KEYS": keys}
        outputs = run(found, own_folder, environment)

    if os.environ.get("UPDATE_PAGES") == "1":
        (ROOT / name).write_text(with_outputs(page, outputs))
    assert len(found) > 0
    assert [normalized(command.shown) for command in commands((ROOT / name).read_text())] == [
        normalized(output) for output in outputs
    ]


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_commands_can_be_pasted(page: Path) -> None:
    """No prompts, and no output between commands."""
    text = page.read_text()
    assert "```console" not in text
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        assert not re.search(r"^[$>] ", block, re.MULTILINE), block
