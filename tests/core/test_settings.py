"""The settings: complete in the documentation, and refused by name when they are wrong."""

import re
from pathlib import Path

import jwt
import pytest
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from wallet_service.core.settings import Settings, SettingsError, default_data_dir, load, variable_of

TABLE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable_of(name), raising=False)


def documented() -> dict[str, str]:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| .+ \|$", TABLE.read_text(), flags=re.MULTILINE)
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
    assert documented() == {variable_of(name): shown_default(name) for name in Settings.model_fields}


def test_defaults_without_any_variable() -> None:
    settings = load()
    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", 8208, default_data_dir())
    assert settings.database_url is None
    assert settings.admin_key is None


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(variable_of(name), "")
    assert load() == Settings.model_construct(data_dir=default_data_dir())


def test_every_problem_is_named_at_once_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "WALLET_PORT": "eighty",
        "WALLET_ADMIN_KEY": "too-short-a-key",
        "WALLET_DATABASE_URL": "mysql://user:hidden-password@host/db",
        "SUPABASE_URL": "https://project.example/rest/v1/",
        "SUPABASE_SERVICE_ROLE_KEY": "sb_publishable_hidden",
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
        variable_of(name) for name in Settings.model_fields if variable_of(name) in wrong
    ]
    assert not any(secret in text for secret in ("too-short-a-key", "hidden-", "hidden_"))


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_ADMIN_KEY", "k" * 32)
    monkeypatch.setenv("WALLET_DATABASE_URL", "postgresql://user:hidden-password@host/db")
    monkeypatch.setenv("WALLET_JWT_SECRET", "s" * 32)
    shown = f"{load()!r} {load()}"
    assert "k" * 32 not in shown
    assert "hidden-password" not in shown
    assert "s" * 32 not in shown


URL = "https://project.example"


def token(role: str) -> str:
    return jwt.encode({"role": role}, "s" * 32)


@pytest.mark.parametrize("key", ["sb_secret_1234", token("service_role")])
def test_supabase_is_an_address_and_a_key(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", URL)
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", key)
    settings = load()
    assert str(settings.supabase_url) == f"{URL}/"
    assert settings.supabase_service_role_key is not None
    assert settings.supabase_service_role_key.get_secret_value() == key
    assert key not in repr(settings)


@pytest.mark.parametrize(
    "key", ["sb_publishable_1", token("anon"), token("authenticated"), "a.b.c", "hidden"]
)
def test_a_key_that_opens_nothing_is_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", URL)
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", key)
    with pytest.raises(
        SettingsError, match="SUPABASE_SERVICE_ROLE_KEY should be a key of the role"
    ) as refused:
        load()
    assert key not in str(refused.value)


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"SUPABASE_URL": URL}, "should be set together"),
        ({"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_1"}, "should be set together"),
        (
            {
                "SUPABASE_URL": URL,
                "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_1",
                "WALLET_DATABASE_URL": "postgresql://somewhere/else",
            },
            "should not both be set",
        ),
        ({"SUPABASE_URL": "ftp://project", "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_1"}, "SUPABASE_URL URL"),
    ],
)
def test_one_database_wholly_named(
    variables: dict[str, str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=problem):
        load()


@pytest.mark.parametrize("url", ["redis://:hidden-password@redis.example:6379/0", "rediss://redis.example"])
def test_redis_is_an_address(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_REDIS_URL", url)
    settings = load()
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == url
    assert "hidden-password" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "redis.example:6379",
        "http://:hidden-password@redis.example",
        "redis://:hidden-password@",
        "redis://:hidden-password@redis.example:port",
        "redis://redis.example/hidden-password",
        "redis://redis.example/0?socket_timeout=3600",
    ],
)
def test_an_address_that_is_no_redis_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_REDIS_URL", url)
    with pytest.raises(SettingsError, match="WALLET_REDIS_URL should be redis://") as refused:
        load()
    assert "hidden-password" not in str(refused.value)


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


@pytest.mark.parametrize(
    ("beside", "is_refused"),
    [
        ({"WALLET_ENVIRONMENT": "production"}, True),
        ({"WALLET_DATABASE_URL": "postgresql://db/wallet"}, True),
        ({"WALLET_ENVIRONMENT": "production", "WALLET_ORGANIZATION_URL": "http://organizations"}, True),
        ({"WALLET_ENVIRONMENT": "production", "WALLET_ACCOUNT_URL": "http://accounts"}, False),
        ({"WALLET_ENVIRONMENT": "production", "WALLET_CONSUL_URL": "http://127.0.0.1:8500"}, False),
        ({}, False),
    ],
)
def test_users_are_verified_where_somebody_can_be_asked(
    *, beside: dict[str, str], is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"WALLET_VERIFY_USERS": "true", **beside}.items():
        monkeypatch.setenv(name, value)
    if not is_refused:
        assert load().verify_users
        return
    with pytest.raises(SettingsError, match="VERIFY_USERS needs WALLET_CONSUL_URL or WALLET_ACCOUNT_URL"):
        load()


def test_settings_are_frozen() -> None:
    settings = load()
    with pytest.raises(ValidationError):
        settings.port = 1  # pyright: ignore[reportAttributeAccessIssue]  # shows the refusal at run time
