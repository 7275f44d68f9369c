"""Settings that do nothing: names that nobody reads, and values that lack a partner. Each is one line in the log."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import structlog

from wallet_service.core.settings import PREFIX, Settings, variable_of

_OF_OTHERS = re.compile(r"WALLET_(VENV|TEST_.*|URL|API_KEY|SERVICE_(SERVICE_|PORT).*)")
"""What scripts, tests and clients read; and what Kubernetes sets in each container beside a service "wallet-service"."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Need:
    """Fields that do nothing without something else.

    Attributes:
        fields: of the settings.
        needs: what they lack, for people.
        is_met: whether it is there.
    """

    fields: Iterable[str]
    needs: str
    is_met: Callable[[Settings], bool]


_NEEDS = (
    _Need(
        ("redis_url", "rate_limit_window_s"),
        "WALLET_RATE_LIMIT_CLIENT_TOKENS or WALLET_RATE_LIMIT_USER_TOKENS",
        lambda settings: bool(settings.rate_limit_client_tokens or settings.rate_limit_user_tokens),
    ),
    _Need(
        ("redis_timeout_ms", "rate_limit_on_redis_down"),
        "WALLET_REDIS_URL",
        lambda settings: settings.redis_url is not None,
    ),
    _Need(
        (
            "upstream_unavailable_policy",
            "account_url",
            "organization_url",
            "upstream_timeout_ms",
            "upstream_set_aside_ms",
        ),
        "WALLET_VERIFY_USERS",
        lambda settings: settings.verify_users,
    ),
    _Need(("metrics_host",), "WALLET_METRICS_PORT", lambda settings: settings.metrics_port is not None),
    _Need(
        [name for name in Settings.model_fields if name.startswith(("consul_", "advertise_"))],
        "WALLET_CONSUL_URL",
        lambda settings: settings.consul_url is not None,
    ),
    _Need(
        ("jwt_issuer", "jwt_audience"),
        "WALLET_JWT_SECRET or WALLET_JWT_JWKS_URL",
        lambda settings: settings.jwt_secret is not None or settings.jwt_jwks_url is not None,
    ),
    _Need(
        ("migrate_on_start",),
        "a database that is not reached by SUPABASE_URL: run wallet-service migrate --database-url",
        lambda settings: settings.supabase_url is None or not settings.migrate_on_start,
    ),
)


def warn_of_unused(settings: Settings, environment: Mapping[str, str]) -> None:
    """Log ``setting_unknown`` for each variable that nobody reads, ``setting_without_effect`` for each that does nothing.

    Args:
        settings: made of the environment.
        environment: names and values; no value is logged.
    """
    known = {field.upper(): variable_of(field) for field in Settings.model_fields}
    for name in sorted(name.upper() for name, value in environment.items() if value):
        setting = name.removeprefix(PREFIX)
        if setting == name or setting in known or _OF_OTHERS.fullmatch(name):
            continue
        close = get_close_matches(setting, known, n=1)
        _log.warning("setting_unknown", name=name, **({"closest": known[close[0]]} if close else {}))
    for need in _NEEDS:
        for field in settings.model_fields_set.intersection(need.fields):
            if not need.is_met(settings):
                _log.warning("setting_without_effect", name=variable_of(field), needs=need.needs)
