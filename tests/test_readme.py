"""The README's five minutes, done as a reader does them. UPDATE_PAGES=1 writes what the commands said into it."""

import os
from pathlib import Path

import pytest
from support.console import by_form, commands, rewritten, run
from support.service import Service

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["README.md"])
async def test_the_page_shows_what_its_commands_say(name: str, service: Service, tmp_path: Path) -> None:
    page = (ROOT / name).read_text()
    found = list(commands(page))
    environment = {"PATH": os.environ["PATH"], "WALLET": service.url, "KEY": service.key}

    outputs = run(found, tmp_path, environment)

    if os.environ.get("UPDATE_PAGES") == "1":
        (ROOT / name).write_text(rewritten(page, outputs))
    assert len(found) > 0
    assert [by_form(command.shown) for command in commands((ROOT / name).read_text())] == [
        by_form(output) for output in outputs
    ]
