"""The settings: complete in the documentation, and refused by name when they are wrong."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from wallet_service.settings import PREFIX, Settings, SettingsError, default_data_dir, load

TABLE = Path(__file__).parent.parent / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name}".upper(), raising=False)


def documented() -> dict[str, str]:
    rows = re.findall(r"^\| `(WALLET_\w+)` \| (.*?) \| .+ \|$", TABLE.read_text(), flags=re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a setting is in the table twice"
    return dict(rows)


def shown_default(name: str) -> str:
    field = Settings.model_fields[name]
    if field.default is PydanticUndefined:
        return "user data folder"
    if field.default is None:
        return "not set"
    return f"`{str(field.default).lower()}`"


def test_the_table_has_every_setting_with_its_default_and_no_other() -> None:
    assert documented() == {f"{PREFIX}{name}".upper(): shown_default(name) for name in Settings.model_fields}


def test_defaults_without_any_variable() -> None:
    settings = load()
    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", 8208, default_data_dir())
    assert settings.database_url is None
    assert settings.admin_key is None


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"{PREFIX}{name}".upper(), "")
    assert load() == Settings.model_construct(data_dir=default_data_dir())


def test_every_problem_is_named_at_once_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "WALLET_PORT": "eighty",
        "WALLET_ADMIN_KEY": "too-short-a-key",
        "WALLET_DATABASE_URL": "mysql://user:hidden-password@host/db",
        "WALLET_LOG_LEVEL": "loud",
        "WALLET_JWT_SECRET": "hidden-secret",
        "WALLET_KEY_CACHE_MS": "5001",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load()
    text = str(refused.value)
    assert [line.split()[0] for line in text.splitlines()[1:]] == [
        f"{PREFIX}{name}".upper() for name in Settings.model_fields if f"{PREFIX}{name}".upper() in wrong
    ]
    assert not any(secret in text for secret in ("too-short-a-key", "hidden-password", "hidden-secret"))


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_ADMIN_KEY", "k" * 32)
    monkeypatch.setenv("WALLET_DATABASE_URL", "postgresql://user:hidden-password@host/db")
    monkeypatch.setenv("WALLET_JWT_SECRET", "s" * 32)
    shown = f"{load()!r} {load()}"
    assert "k" * 32 not in shown
    assert "hidden-password" not in shown
    assert "s" * 32 not in shown


@pytest.mark.parametrize("key", ["k" * 31, "k" * 31 + " ", "k" * 31 + "é", "k" * 31 + "\n"])
def test_an_admin_key_that_is_short_or_no_header_text_is_refused(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WALLET_ADMIN_KEY", key)
    with pytest.raises(SettingsError, match="WALLET_ADMIN_KEY"):
        load()


def test_a_secret_is_measured_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_JWT_SECRET", "é" * 16)
    secret = load().jwt_secret
    assert secret is not None
    assert len(secret.get_secret_value()) == 16
    monkeypatch.setenv("WALLET_JWT_SECRET", "e" * 31)
    with pytest.raises(SettingsError, match="WALLET_JWT_SECRET should have at least 32 bytes"):
        load()


def test_the_data_folder_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WALLET_DATA_DIR", "books")
    assert load().data_dir == tmp_path / "books"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WALLET_DATA_DIR", "~/books")
    assert load().data_dir == tmp_path / "books"


def test_the_user_data_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "wallet-service"
    monkeypatch.setenv("XDG_DATA_HOME", "relative/paths/are/ignored")
    assert default_data_dir() == Path("/home/somebody/.local/share/wallet-service")


def test_settings_are_frozen() -> None:
    settings = load()
    with pytest.raises(ValidationError):
        settings.port = 1  # pyright: ignore[reportAttributeAccessIssue]  # shows the refusal at run time
