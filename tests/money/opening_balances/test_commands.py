"""The command ``import``, as an operator uses it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.api import new_user
from support.service import COMMAND, WAIT_S, command, environment

from wallet_service.money.opening_balances import commands


def test_a_file_is_checked_and_then_imported(service_dsn: str, own_folder: Path) -> None:
    file, user = own_folder / "balances.csv", new_user()
    file.write_text(f"user_id,currency,balance\n{user},USD,12.50\n{user},EURO,1\n")

    refused = "line 3: currency_unknown: There is no currency EURO; the closest one is EUR\n"
    for options, summary in (
        (
            ["--dry-run"],
            "Dry run of 2 lines: 1 would be created, 0 imported before, 1 refused. Nothing was changed\n",
        ),
        ([], "2 lines: 1 created, 0 imported before, 1 refused\n"),
        ([], "2 lines: 0 created, 1 imported before, 1 refused\n"),
    ):
        done = command(own_folder, "import", str(file), *options, WALLET_DATABASE_URL=service_dsn)
        assert (done.returncode, done.stdout, done.stderr) == (1, refused, summary)

    lines = f'{{"user_id": "{new_user()}", "balance": "3"}}\n{{"user_id": "{new_user()}"}}\n'
    done = subprocess.run(
        [*COMMAND, "import", "-", "--json"],
        env=environment(own_folder, WALLET_DATABASE_URL=service_dsn),
        input=lines,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
    assert done.returncode == 0, done
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["created", "created"]


def test_progress_is_one_line_that_changes_in_a_terminal(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_folder / "file").write_bytes(b"x" * 1000)
    monkeypatch.setattr(commands, "_TERMINAL_PAUSE_S", 0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with (own_folder / "file").open("rb") as file:
        progress = commands._Progress(file)
        progress.counts.update(created=1200, refused=34)
        progress.show()
        progress.show()
        progress.clear()
        progress.clear()
    text = "1,234 lines done, 34 refused (0% of the file)"
    assert capsys.readouterr().err == f"{text}\r\x1b[K{text}\r\x1b[K"


def test_progress_elsewhere_is_a_line_now_and_then(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_folder / "file").write_bytes(b"x")
    with (own_folder / "file").open("rb") as file:
        progress = commands._Progress(file)
        progress.show()
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(commands, "_LOG_PAUSE_S", 0)
        progress.show()
    assert capsys.readouterr().err == "0 lines done, 0 refused (0% of the file)\n"
