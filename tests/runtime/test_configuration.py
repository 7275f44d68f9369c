"""What is set and does nothing is said, by name alone."""

import os
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.settings import VARIABLES

from wallet_service.runtime.configuration import load_settings, warn_of_unused

LIMITS = "WALLET_RATE_LIMIT_CLIENT_TOKENS or WALLET_RATE_LIMIT_USER_TOKENS"
KEYS = "WALLET_JWT_SECRET or WALLET_JWT_JWKS_URL"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*VARIABLES, *os.environ]:
        if name.startswith(("WALLET_", "SUPABASE_")):
            monkeypatch.delenv(name, raising=False)


def warned(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[dict[str, Any]]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with capture_logs() as log:
        warn_of_unused(load_settings(), os.environ)
    assert {line.pop("log_level") for line in log} <= {"warning"}
    return sorted(log, key=lambda line: line["name"])  # pyright: ignore[reportReturnType]


def test_an_unused_name_is_reported_with_the_intended_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert warned(
        monkeypatch,
        WALLET_VERIFY_USER="hidden",
        WALLET_SUPABASE_URI="https://hidden.example",
        WALLET_QQQQ="hidden",
        WALLET_EMPTY="",
        wallet_log_level="debug",
    ) == [
        {"event": "setting_unknown", "name": "WALLET_QQQQ"},
        {"event": "setting_unknown", "name": "WALLET_SUPABASE_URI", "closest": "SUPABASE_URL"},
        {"event": "setting_unknown", "name": "WALLET_VERIFY_USER", "closest": "WALLET_VERIFY_USERS"},
    ]


def test_names_of_scripts_clients_and_kubernetes_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["VENV", "TEST_POSTGRES", "URL", "API_KEY", "SERVICE_SERVICE_HOST", "SERVICE_PORT_80_TCP"]
    assert warned(monkeypatch, **{f"WALLET_{name}": "x" for name in names}) == []


@pytest.mark.parametrize(
    ("name", "value", "needs", "partner"),
    [
        ("WALLET_REDIS_URL", "redis://hidden", LIMITS, {"WALLET_RATE_LIMIT_USER_TOKENS": "1"}),
        ("WALLET_RATE_LIMIT_WINDOW_S", "9", LIMITS, {"WALLET_RATE_LIMIT_CLIENT_TOKENS": "1"}),
        (
            "WALLET_UPSTREAM_UNAVAILABLE_POLICY",
            "allow",
            "WALLET_VERIFY_USERS",
            {"WALLET_VERIFY_USERS": "true"},
        ),
        ("WALLET_METRICS_HOST", "10.0.0.1", "WALLET_METRICS_PORT", {"WALLET_METRICS_PORT": "0"}),
        ("WALLET_CONSUL_TOKEN", "hidden", "WALLET_CONSUL_URL", {"WALLET_CONSUL_URL": "http://c:8500"}),
        ("WALLET_ADVERTISE_PORT", "9", "WALLET_CONSUL_URL", {"WALLET_CONSUL_URL": "http://c:8500"}),
        ("WALLET_JWT_ISSUER", "hidden", KEYS, {"WALLET_JWT_SECRET": "s" * 32}),
    ],
)
def test_a_setting_without_its_partner_is_reported(
    name: str, value: str, needs: str, partner: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert warned(monkeypatch, **{name: value}) == [
        {"event": "setting_without_effect", "name": name, "needs": needs}
    ]
    assert warned(monkeypatch, **{name: value}, **partner) == []


def test_nothing_is_migrated_over_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    project = {"SUPABASE_URL": "https://p.example", "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_1"}
    assert warned(monkeypatch, **project) == []
    (line,) = warned(monkeypatch, WALLET_MIGRATE_ON_START="true")
    assert (line["event"], line["name"]) == ("setting_without_effect", "WALLET_MIGRATE_ON_START")
    assert warned(monkeypatch, WALLET_MIGRATE_ON_START="false") == []
