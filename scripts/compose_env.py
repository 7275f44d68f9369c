#!/usr/bin/env python3
"""Prints a file .env for docker-compose.yml with new random secrets: python3 scripts/compose_env.py > .env.

SUPABASE_SERVICE_ROLE_KEY is a JWT of the role service_role, as Supabase issues them, signed with SUPABASE_JWT_SECRET.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time

TEN_YEARS_S = 10 * 365 * 86_400


def secrets_of_compose() -> dict[str, str]:
    """New values of all secrets of the compose file."""
    jwt_secret = secrets.token_hex(32)
    return {
        "POSTGRES_PASSWORD": secrets.token_hex(24),
        "WALLET_ADMIN_KEY": f"admin-{secrets.token_hex(24)}",
        "WALLET_CREDENTIAL_KEYS": f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        "SUPABASE_JWT_SECRET": jwt_secret,
        "SUPABASE_SERVICE_ROLE_KEY": service_role_key(jwt_secret, int(time.time())),
        "GRAFANA_PASSWORD": secrets.token_hex(12),
    }


def service_role_key(jwt_secret: str, now: int) -> str:
    """A token (HS256) of the role service_role, valid for ten years from ``now`` (Unix seconds)."""
    claims = {"iss": "supabase", "role": "service_role", "iat": now, "exp": now + TEN_YEARS_S}
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    return f"{signed}.{_encoded(hmac.digest(jwt_secret.encode(), signed.encode(), hashlib.sha256))}"


def _part(document: dict[str, object]) -> str:
    return _encoded(json.dumps(document, separators=(",", ":")).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


if __name__ == "__main__":
    for name, value in secrets_of_compose().items():
        print(f"{name}={value}")  # noqa: T201 - the output of the script
