"""The settings: read from the environment and from files, and refused by name when they are wrong."""

from pathlib import Path

import jwt
import pytest
from pydantic import ValidationError
from support.settings import VARIABLES

from wallet_service.core.settings import SettingsError
from wallet_service.platform.auth.settings import AuthSettings
from wallet_service.platform.database.settings import DatabaseSettings
from wallet_service.platform.embedded_postgres.settings import EmbeddedPostgresSettings, default_data_dir
from wallet_service.platform.membership.settings import MembershipSettings
from wallet_service.platform.rate_limits.settings import RateLimitSettings
from wallet_service.platform.vault.keys import generate_key
from wallet_service.platform.web.settings import WebSettings
from wallet_service.runtime.configuration import load_settings, models_of


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_each_variable_belongs_to_one_room() -> None:
    names = [model.variable(field) for model in models_of() for field in model.model_fields]
    assert len(names) == len(set(names))


def test_each_setting_has_a_description() -> None:
    lacking = [
        name for name, (model, field) in VARIABLES.items() if not model.model_fields[field].description
    ]
    assert lacking == []


def test_defaults_without_any_variable() -> None:
    settings = load_settings()
    web = settings[WebSettings]
    assert (web.host, web.port) == ("127.0.0.1", 8208)
    assert settings[EmbeddedPostgresSettings].data_dir == default_data_dir()
    assert settings[DatabaseSettings].url is None
    assert settings[AuthSettings].admin_key is None


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = list(load_settings())
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    assert list(load_settings()) == defaults


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
        load_settings()
    text = str(refused.value)
    assert [line.split()[0] for line in text.splitlines()[1:]] == [
        name for name in VARIABLES if name in wrong
    ]
    assert not any(secret in text for secret in ("too-short-a-key", "hidden-", "hidden_"))


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_ADMIN_KEY", "k" * 32)
    monkeypatch.setenv("WALLET_DATABASE_URL", "postgresql://user:hidden-password@host/db")
    monkeypatch.setenv("WALLET_JWT_SECRET", "s" * 32)
    shown = f"{load_settings()!r} {load_settings()}"
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
    settings = load_settings()[DatabaseSettings]
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
        load_settings()
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
        load_settings()


@pytest.mark.parametrize("url", ["redis://:hidden-password@redis.example:6379/0", "rediss://redis.example"])
def test_redis_is_an_address(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_REDIS_URL", url)
    settings = load_settings()[RateLimitSettings]
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
        load_settings()
    assert "hidden-password" not in str(refused.value)


@pytest.mark.parametrize("key", ["k" * 31, "k" * 31 + " ", "k" * 31 + "é", "k" * 31 + "\n"])
def test_an_admin_key_that_is_short_or_no_header_text_is_refused(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WALLET_ADMIN_KEY", key)
    with pytest.raises(SettingsError, match="WALLET_ADMIN_KEY"):
        load_settings()


def test_a_secret_is_measured_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_JWT_SECRET", "é" * 16)
    secret = load_settings()[AuthSettings].jwt_secret
    assert secret is not None
    assert len(secret.get_secret_value()) == 16
    monkeypatch.setenv("WALLET_JWT_SECRET", "e" * 31)
    with pytest.raises(SettingsError, match="WALLET_JWT_SECRET should have at least 32 bytes"):
        load_settings()


def test_the_data_folder_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WALLET_DATA_DIR", "books")
    assert load_settings()[EmbeddedPostgresSettings].data_dir == tmp_path / "books"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WALLET_DATA_DIR", "~/books")
    assert load_settings()[EmbeddedPostgresSettings].data_dir == tmp_path / "books"


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
def test_users_are_verified_where_an_account_service_is_configured(
    *, beside: dict[str, str], is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"WALLET_VERIFY_USERS": "true", **beside}.items():
        monkeypatch.setenv(name, value)
    if not is_refused:
        assert load_settings()[MembershipSettings].verify_users
        return
    with pytest.raises(SettingsError, match="VERIFY_USERS needs WALLET_CONSUL_URL or WALLET_ACCOUNT_URL"):
        load_settings()


def test_settings_are_frozen() -> None:
    settings = load_settings()[WebSettings]
    with pytest.raises(ValidationError):
        settings.port = 1  # pyright: ignore[reportAttributeAccessIssue]  # shows the refusal at run time


SECRETS = [name for name, (model, field) in VARIABLES.items() if model.is_secret(field)]


def test_the_secrets_are_these() -> None:
    assert set(SECRETS) == {
        "WALLET_DATABASE_URL",
        "SUPABASE_SERVICE_ROLE_KEY",
        "WALLET_REDIS_URL",
        "WALLET_ADMIN_KEY",
        "WALLET_JWT_SECRET",
        "WALLET_CONSUL_TOKEN",
        "WALLET_CREDENTIAL_KEYS",
        "WALLET_TOP_UPS_PAYMENT_EVENTS_SECRET",
        "WALLET_FX_URL",
    }


VALUES = {
    "WALLET_DATABASE_URL": "postgresql://user:password@host/db",
    "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_1234",
    "WALLET_REDIS_URL": "redis://:password@redis.example:6379/0",
    "WALLET_CREDENTIAL_KEYS": generate_key(),
    "WALLET_FX_URL": "https://rates.example/latest.xml?key=secret",
    "WALLET_TOP_UPS_PAYMENT_EVENTS_SECRET": "whsec_" + "c2Vj" * 8,
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_can_be_in_a_file(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file, value = tmp_path / "secret", VALUES.get(name, "s" * 40)
    file.write_text(f"{value}\n")
    monkeypatch.setenv(f"{name}_FILE", str(file))
    if name.startswith("SUPABASE"):
        monkeypatch.setenv("SUPABASE_URL", URL)
    model, field = VARIABLES[name]
    assert getattr(load_settings()[model], field).get_secret_value() == value


def test_a_secret_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s" * 40)
    monkeypatch.setenv("WALLET_JWT_SECRET", "hidden" * 8)
    monkeypatch.setenv("WALLET_JWT_SECRET_FILE", str(tmp_path / "secret"))
    with pytest.raises(
        SettingsError, match="WALLET_JWT_SECRET and WALLET_JWT_SECRET_FILE should not both"
    ) as refused:
        load_settings()
    assert "hidden" not in str(refused.value)


def test_a_secret_whose_file_cant_be_read_is_refused_with_all_other_faults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WALLET_JWT_SECRET_FILE", str(tmp_path / "missing"))
    (tmp_path / "large").write_text("x" * 70_000)
    monkeypatch.setenv("WALLET_CONSUL_TOKEN_FILE", str(tmp_path / "large"))
    monkeypatch.setenv("WALLET_PORT", "eighty")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    lines = str(refused.value).splitlines()[1:]
    assert [line.split()[0] for line in lines] == [
        "WALLET_JWT_SECRET_FILE",
        "WALLET_PORT",
        "WALLET_CONSUL_TOKEN_FILE",
    ]
    assert "No such file" in lines[0]
