"""The README's five minutes, done as a reader does them. UPDATE_PAGES=1 writes what the commands said into it."""

import os
import sys
from pathlib import Path

import pytest
from support.page_commands import commands, normalized, run, with_outputs
from support.service import serving

from wallet_service.platform.vault.keys import generate_key

ROOT = Path(__file__).parent.parent


COMMAND = f"""#!/bin/sh
exec "{sys.executable}" -m wallet_service "$@"
"""


@pytest.mark.parametrize("name", ["README.md", "docs/api.md", "docs/files.md", "docs/vault.md"])
def test_the_page_shows_what_its_commands_say(name: str, own_folder: Path) -> None:
    page = (ROOT / name).read_text()
    found = list(commands(page))
    data, bin_folder = own_folder / "data", own_folder / "bin"
    bin_folder.mkdir()
    (bin_folder / "wallet-service").write_text(COMMAND)
    (bin_folder / "wallet-service").chmod(0o755)
    keys = generate_key("k1")
    with serving(data, WALLET_CREDENTIAL_KEYS=keys) as service:
        environment = {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "WALLET_DATA_DIR": str(data),
            "WALLET_CREDENTIAL_KEYS": keys,
            "WALLET_URL": service.url,
            "WALLET_API_KEY": service.key,
        }
        outputs = run(found, own_folder, environment)

    if os.environ.get("UPDATE_PAGES") == "1":
        (ROOT / name).write_text(with_outputs(page, outputs))
    assert len(found) > 0
    assert [normalized(command.shown) for command in commands((ROOT / name).read_text())] == [
        normalized(output) for output in outputs
    ]
