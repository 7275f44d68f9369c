"""The client for threads is what scripts/unasync generates from the one for asyncio."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "unasync.py"


@pytest.fixture
def unasync() -> Any:
    spec = spec_from_file_location("unasync_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_files_are_up_to_date() -> None:
    run = subprocess.run(
        [sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_a_file_that_is_not_up_to_date_is_named_and_written(unasync: Any, tmp_path: Path) -> None:
    made = {"a.py": "one", "b.py": "two", "c.py": "three"}
    (tmp_path / "a.py").write_text("one")
    (tmp_path / "b.py").write_text("changed by hand")
    (tmp_path / "d.py").write_text("no longer generated")

    assert unasync.outdated(made, tmp_path) == ["b.py", "c.py", "d.py"]
    unasync.write(made, tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == made


def test_a_check_of_a_stale_folder_fails(
    unasync: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(unasync, "generated", lambda: {"client.py": "another text"})
    assert unasync.main(["--check"]) == 1
    assert "client.py, credits.py" in capsys.readouterr().err


def test_nothing_asynchronous_is_left(unasync: Any) -> None:
    for name, text in unasync.generated().items():
        code = text.partition("\n")[2]  # without the header, which names the source
        words = [word for word in ("await", "async ", "Async", "_async", "asyncio", "aclose") if word in code]
        assert words == [], name


def test_a_sentence_that_is_no_longer_there_is_reported(
    unasync: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(unasync.SENTENCES, "no such sentence", "")
    with pytest.raises(ValueError, match="no such sentence"):
        unasync.generated()
