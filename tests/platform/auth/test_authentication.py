import time
from typing import Any

import httpx
import jwt
import pytest
from support.http_app import ADMIN_KEY, JWT_SECRET, api

from wallet_service.core.errors import Forbidden, WalletNotFound
from wallet_service.core.room import Permission
from wallet_service.money.permissions import TRANSACTIONS_WRITE, WALLETS_READ
from wallet_service.platform.auth import authentication as auth
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.auth.keys import create_key, revoke_key
from wallet_service.platform.auth.permissions import ADMIN, names_of
from wallet_service.platform.database.gateway import Database
from wallet_service.rooms import ROOMS

SCOPES, USER_SCOPES = names_of(ROOMS), names_of(ROOMS, users_only=True)

THING = "/api/v1/things/7"


def token(**changes: Any) -> str:
    claims = {"sub": "u-1", "iss": "https://issuer", "exp": int(time.time()) + 60} | changes
    return jwt.encode(claims, JWT_SECRET, algorithm="HS256")


async def refused(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_scope_is_required_by_name() -> None:
    reader = Principal("billing", None, frozenset({"wallets:read"}))
    reader.require(WALLETS_READ)
    with pytest.raises(Forbidden, match="transactions:write") as refusal:
        reader.require(TRANSACTIONS_WRITE)
    assert refusal.value.facts == {"scope": "transactions:write"}


def test_admin_implies_all() -> None:
    admin = Principal("admin", None, frozenset({"admin"}))
    for scope in ("wallets:read", "wallets:write", "transactions:write", "stats:read", "admin"):
        admin.require(Permission(scope, ""))


def test_users_are_no_admins_and_have_no_name_in_the_log() -> None:
    user = Principal("user:https://issuer|u-1", "u-1", USER_SCOPES)
    assert user.is_user
    assert user.log_name == "user"
    of_clients = (
        "stats:read rewards:write exchanges:write payments:write credit_limits:write transactions:write"
        " grants:write rates:read rates:write top_ups:write"
    )
    not_users = {"admin", "audit:read", "webhooks:read", "webhooks:write", *of_clients.split()}
    assert not_users == SCOPES - USER_SCOPES
    with pytest.raises(Forbidden):
        user.require(ADMIN)


def test_another_user_s_things_are_not_there() -> None:
    user = Principal("user:https://issuer|u-1", "u-1", USER_SCOPES)
    user.require_user("u-1")
    with pytest.raises(WalletNotFound):
        user.require_user("u-2")
    Principal("billing", None, frozenset({"wallets:read"})).require_user("u-2")


async def test_the_operator_s_key_is_the_admin(database: Database) -> None:
    async with api(database, ADMIN_KEY) as client:
        answer = await client.get(f"{THING}/admin")
        assert answer.json() == {"thing": "7", "client": "admin", "user": None}
    async with api(database, ADMIN_KEY, admin_key=None) as client:
        await refused(await client.get(f"{THING}/admin"))


async def test_the_operator_s_key_is_compared_in_constant_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []
    compare = auth.hmac.compare_digest

    def counted(given: bytes, expected: bytes) -> bool:
        compared.append((len(given), len(expected)))
        return compare(given, expected)

    monkeypatch.setattr(auth.hmac, "compare_digest", counted)
    for credentials in ("x", ADMIN_KEY[:-1], ADMIN_KEY + "x"):
        async with api(database, credentials) as client:
            await refused(await client.get(THING))
    assert compared == [(32, 32)] * 3


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer    ",
        b"Basic YWRtaW46YWRtaW4=",
        b"Bearer:" + ADMIN_KEY.encode(),
        ADMIN_KEY.encode(),
        b"Token " + ADMIN_KEY.encode(),
        b"Bearer " + ADMIN_KEY.encode() + b" x",
        b"Bearer " + ADMIN_KEY.encode().upper(),
        b"Bearer \xff\xfe",
        b"Bearer " + b"x" * 9000,
        b"Bearer wsk_" + b"0" * 32 + b"_" + b"A" * 43,
        b"Bearer a.b.c",
    ],
)
async def test_other_headers_are_refused(database: Database, header: bytes | None) -> None:
    async with api(database) as client:
        await refused(await client.get(THING, headers={} if header is None else {b"Authorization": header}))


async def test_the_scheme_is_read_in_any_case(database: Database) -> None:
    async with api(database) as client:
        answer = await client.get(THING, headers={"Authorization": f"bEARER {ADMIN_KEY}"})
        assert answer.status_code == 200


async def test_two_headers_are_refused(database: Database) -> None:
    async with api(database) as client:
        headers = [("Authorization", f"Bearer {ADMIN_KEY}"), ("Authorization", f"Bearer {ADMIN_KEY}")]
        await refused(await client.get(THING, headers=headers))


async def test_credentials_elsewhere_do_not_count(database: Database) -> None:
    async with api(database) as client:
        await refused(await client.get(THING, params={"access_token": ADMIN_KEY}))
        await refused(await client.get(THING, headers={"Cookie": f"Authorization={ADMIN_KEY}"}))


async def test_a_key_does_what_its_scopes_say(database: Database) -> None:
    key = await create_key(database, "billing", ["wallets:read"])
    async with api(database, key) as client:
        assert (await client.get(THING)).json()["client"] == "billing"
        answer = await client.get(f"{THING}/admin")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert answer.json()["scope"] == "admin"
    other = await create_key(database, "billing", ["stats:read"])
    async with api(database, other) as client:
        assert (await client.get(THING)).status_code == 403


async def test_a_revoked_key_is_refused(database: Database) -> None:
    key = await create_key(database, "billing", ["admin"])
    async with api(database, key, key_cache_ms=0) as client:
        assert (await client.get(THING)).status_code == 200
        await revoke_key(database, key.split("_")[1])
        await refused(await client.get(THING))


async def test_a_user_s_token_is_a_user(database: Database) -> None:
    async with api(database, token()) as client:
        assert (await client.get(THING)).json()["client"] == "user:https://issuer|u-1"
        assert (await client.get(f"{THING}/admin")).status_code == 403
    async with api(database, token(exp=int(time.time()) - 60)) as client:
        answer = await client.get(THING)
        await refused(answer)
        assert "expired" in answer.json()["detail"]


async def test_without_settings_no_token_counts(database: Database) -> None:
    async with api(database, token(), jwt_secret=None) as client:
        await refused(await client.get(THING))


async def test_an_open_path_needs_no_credentials(database: Database) -> None:
    async with api(database) as client:
        assert (await client.get("/openapi.json")).status_code == 200
        assert (await client.get("/docs")).status_code == 200
