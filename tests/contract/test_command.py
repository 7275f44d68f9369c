"""scripts/openapi writes what is made of the application, and refuses what breaks a client."""

import copy
import json
import sys
from pathlib import Path

import pytest

from contract import __main__ as command
from contract import document
from contract.document import current, text


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Where it writes to: openapi.json and the collection."""
    found = tmp_path / "openapi.json", tmp_path / "collection.json"
    monkeypatch.setattr(document, "OPENAPI", found[0])
    monkeypatch.setattr(command, "OPENAPI", found[0])
    monkeypatch.setattr(command, "COLLECTION", found[1])
    return found


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["scripts/openapi", *arguments])
    return command.main()


def test_it_writes_both_and_the_same_again(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch) == 0
    written = [path.read_text() for path in files]
    assert json.loads(written[0])["info"]["title"] == json.loads(written[1])["info"]["name"]
    assert called(monkeypatch) == 0
    assert [path.read_text() for path in files] == written
    assert capsys.readouterr().err == ""


def test_it_refuses_what_breaks_a_client_without_the_option(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = copy.deepcopy(current())
    before["paths"]["/api/v1/holds"] = before["paths"]["/api/v1/currencies"]
    files[0].write_text(text(before))
    assert called(monkeypatch) == 1
    assert capsys.readouterr().err.startswith("breaking: GET /api/v1/holds: is gone\n")
    assert (files[0].read_text(), files[1].exists()) == (text(before), False)
    assert called(monkeypatch, "--breaking") == 0
    assert files[0].read_text() == text(current())
