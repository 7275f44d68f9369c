"""The README's five minutes, done as a reader does them. UPDATE_PAGES=1 writes what the commands said into it."""

import os
from pathlib import Path

import pytest
from support.page_commands import commands, normalized, run, with_outputs
from support.service import serving

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["README.md", "docs/api.md"])
def test_the_page_shows_what_its_commands_say(name: str, own_folder: Path) -> None:
    page = (ROOT / name).read_text()
    found = list(commands(page))
    with serving(own_folder / "data") as service:
        environment = {"PATH": os.environ["PATH"], "WALLET_URL": service.url, "WALLET_API_KEY": service.key}
        outputs = run(found, own_folder, environment)

    if os.environ.get("UPDATE_PAGES") == "1":
        (ROOT / name).write_text(with_outputs(page, outputs))
    assert len(found) > 0
    assert [normalized(command.shown) for command in commands((ROOT / name).read_text())] == [
        normalized(output) for output in outputs
    ]
