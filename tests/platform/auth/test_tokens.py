import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import jwt
import pytest
import respx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from wallet_service.core.errors import Unauthorized, Unavailable
from wallet_service.platform.auth import jwks
from wallet_service.platform.auth.jwks import JwksKeys
from wallet_service.platform.auth.tokens import LEEWAY_S, TokenVerifier

SECRET = "a-shared-secret-of-more-than-32-bytes"
URL = "https://issuer.example/.well-known/jwks.json"

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(algorithm: Any, key: Any, key_id: str | None, **members: Any) -> dict[str, Any]:
    entry = json.loads(algorithm.to_jwk(key.public_key()))
    entry.pop("key_ops", None)
    return entry | ({"kid": key_id} if key_id else {}) | members


KEYS = [
    public(RSAAlgorithm, RSA, "rsa", use="sig", alg="RS256"),
    public(ECAlgorithm, EC, "ec"),
    public(OKPAlgorithm, ED, "ed"),
]


def claims(**changes: Any) -> dict[str, Any]:
    everything = {
        "sub": "u-1",
        "iss": "https://project.supabase.co/auth/v1",
        "aud": "authenticated",
        "role": "authenticated",
        "exp": int(time.time()) + 3600,
        "iat": int(time.time()),
    } | changes
    return {name: value for name, value in everything.items() if value is not ...}


def signed(key: Any = SECRET, algorithm: str = "HS256", key_id: str | None = None, **changes: Any) -> bytes:
    headers = {"kid": key_id} if key_id else None
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers).encode()


def raw(header: object, payload: object, signature: bytes = b"") -> bytes:
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)


class Seconds:
    value = 50_000.0

    def __call__(self) -> float:
        return self.value


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def issuer() -> Any:
    with respx.mock(assert_all_called=False) as router:
        route = router.get(URL)
        route.respond(json={"keys": KEYS})
        yield route


@pytest.fixture
async def published(issuer: respx.Route, clock: Seconds) -> AsyncIterator[TokenVerifier]:
    del issuer
    verifier = TokenVerifier(keys=JwksKeys(URL, clock=clock))
    yield verifier
    await verifier.close()


SHARED = TokenVerifier(secret=SECRET)


async def test_a_token_of_supabase_names_its_user() -> None:
    verifier = TokenVerifier(
        secret=SECRET, issuer="https://project.supabase.co/auth/v1", audience="authenticated"
    )
    user = await verifier.verify(signed())
    assert user.user_id == "u-1"
    assert user.client_id == "user:https://project.supabase.co/auth/v1|u-1"


async def test_an_issuer_is_optional() -> None:
    assert (await SHARED.verify(signed(iss=...))).client_id == "user:|u-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - LEEWAY_S - 5},
        {"exp": ...},
        {"exp": None},
        {"exp": []},
        {"exp": "soon"},
        {"exp": 1e999},
        {"nbf": int(time.time()) + LEEWAY_S + 86_400},
        {"iat": int(time.time()) + LEEWAY_S + 86_400},
        {"sub": ...},
        {"sub": ""},
        {"sub": 7},
        {"sub": None},
        {"sub": ["u-1"]},
        {"sub": "x" * 256},
        {"sub": "a\nb"},
        {"sub": "a\0"},
        {"sub": "a\u202eb"},
        {"iss": "a|b"},
        {"iss": "x" * 256},
        {"role": "anon"},
        {"role": "service_role"},
        {"role": "supabase_admin"},
    ],
)
async def test_claims_that_name_no_user_are_refused(changes: dict[str, Any]) -> None:
    # The layer below, since PyJWT doesn't sign some of these.
    token = jwt.api_jws.encode(json.dumps(claims(**changes)).encode(), SECRET, "HS256")
    with pytest.raises(Unauthorized):
        await SHARED.verify(token.encode())


async def test_a_strange_role_is_no_fault() -> None:
    assert (await SHARED.verify(signed(role=["anon"]))).user_id == "u-1"


async def test_clocks_may_differ_a_little() -> None:
    assert LEEWAY_S <= 30
    assert (await SHARED.verify(signed(exp=int(time.time()) - LEEWAY_S + 10))).user_id == "u-1"


@pytest.mark.parametrize(
    ("issuer", "audience", "changes"),
    [
        ("https://other", None, {}),
        ("https://other", None, {"iss": ...}),
        (None, "other", {}),
        (None, "other", {"aud": ...}),
        (None, "other", {"aud": ["authenticated"]}),
    ],
)
async def test_another_issuer_or_audience_is_refused(
    issuer: str | None, audience: str | None, changes: dict[str, Any]
) -> None:
    verifier = TokenVerifier(secret=SECRET, issuer=issuer, audience=audience)
    with pytest.raises(Unauthorized):
        await verifier.verify(signed(**changes))


FORGED = [
    b"",
    b".",
    b"..",
    b"a.b.c",
    b"\xff.\xff.\xff",
    b"garbage",
    raw({"alg": "none"}, claims()),
    raw({"alg": "None", "typ": "JWT"}, claims()),
    raw({"alg": ["HS256"]}, claims()),
    raw({"alg": {}}, claims()),
    raw({}, claims()),
    raw([], claims()),
    raw({"alg": "HS256"}, claims(), b"signature"),
    raw({"alg": "HS256", "kid": 7}, claims()),
    raw({"alg": "RS256", "kid": ["rsa"]}, claims()),
    signed("another-secret-of-more-than-32-bytes-"),
    signed(SECRET * 2, "HS384"),
    signed() + b"x",
    signed()[:-10],
]


# Tokens hold the time, so they can't name the tests for all workers alike.
@pytest.mark.parametrize("token", FORGED, ids=map(str, range(len(FORGED))))
async def test_forged_tokens_are_refused(token: bytes, published: TokenVerifier) -> None:
    for verifier in (SHARED, published, TokenVerifier(secret=SECRET, keys=published._keys)):
        with pytest.raises(Unauthorized):
            await verifier.verify(token)


async def test_deep_json_is_no_fault() -> None:
    header = base64.urlsafe_b64encode(b"[" * 3000)
    with pytest.raises(Unauthorized):
        await SHARED.verify(header + b".e30.e30")


@pytest.mark.parametrize(
    ("key", "algorithm", "key_id"), [(RSA, "RS256", "rsa"), (EC, "ES256", "ec"), (ED, "EdDSA", "ed")]
)
async def test_published_keys_are_enough(
    published: TokenVerifier, key: Any, algorithm: str, key_id: str
) -> None:
    assert (await published.verify(signed(key, algorithm, key_id))).user_id == "u-1"


async def test_algorithms_are_never_mixed(published: TokenVerifier) -> None:
    both = TokenVerifier(secret=SECRET, keys=published._keys)
    pem = RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header, payload = {"alg": "HS256", "kid": "rsa"}, claims()
    unsigned = raw(header, payload).rstrip(b".")
    hmac_with_public_key = (
        unsigned
        + b"."
        + base64.urlsafe_b64encode(
            jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(unsigned, pem)
        ).rstrip(b"=")
    )
    confused = [
        hmac_with_public_key,
        signed(RSA, "RS256", "ec"),
        signed(EC, "ES256", "rsa"),
        signed(RSA, "PS256", "rsa"),
        signed(RSA, "RS512", "rsa"),
        signed(OTHER_RSA, "RS256", "rsa"),
        raw({"alg": "RS256", "kid": "rsa", "jwk": public(RSAAlgorithm, OTHER_RSA, "rsa")}, payload, b"x"),
    ]
    for token in confused:
        for verifier in (published, both):
            with pytest.raises(Unauthorized):
                await verifier.verify(token)
    with pytest.raises(Unauthorized):
        await published.verify(signed())
    with pytest.raises(Unauthorized):
        await SHARED.verify(signed(RSA, "RS256", "rsa"))
    assert (await both.verify(signed())).user_id == "u-1"
    assert (await both.verify(signed(RSA, "RS256", "rsa"))).user_id == "u-1"


async def test_a_published_secret_is_no_key(issuer: respx.Route, published: TokenVerifier) -> None:
    secret = base64.urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode()
    issuer.respond(json={"keys": [*KEYS, {"kty": "oct", "k": secret, "kid": "shared", "alg": "HS256"}]})
    with pytest.raises(Unauthorized):
        await published.verify(signed(SECRET, "HS256", "shared"))


@pytest.mark.parametrize(
    "entry",
    [
        public(RSAAlgorithm, RSA, "k", use="enc"),
        public(RSAAlgorithm, RSA, "k", alg="RS512"),
        public(RSAAlgorithm, RSA, "k") | {"n": "?"},
        public(RSAAlgorithm, RSA, "k") | {"kty": ["RSA"]},
        public(RSAAlgorithm, RSA, "k") | {"kid": 7},
        "text",
        None,
    ],
)
async def test_unusable_entries_are_skipped(
    issuer: respx.Route, published: TokenVerifier, entry: Any
) -> None:
    issuer.respond(json={"keys": [entry, *KEYS]})
    with pytest.raises(Unauthorized):
        await published.verify(signed(RSA, "RS256", "k"))
    assert (await published.verify(signed(EC, "ES256", "ec"))).user_id == "u-1"


async def test_a_token_without_an_id_means_the_only_key(
    issuer: respx.Route, published: TokenVerifier, clock: Seconds
) -> None:
    issuer.respond(json={"keys": [public(ECAlgorithm, EC, "ec")]})
    assert (await published.verify(signed(EC, "ES256"))).user_id == "u-1"
    issuer.respond(json={"keys": KEYS})
    clock.value += jwks.FRESH_S
    with pytest.raises(Unauthorized):
        await published.verify(signed(EC, "ES256"))


async def test_keys_are_fetched_once(issuer: respx.Route, published: TokenVerifier, clock: Seconds) -> None:
    for _ in range(3):
        await published.verify(signed(EC, "ES256", "ec"))
    clock.value += jwks.FRESH_S - 1
    await published.verify(signed(RSA, "RS256", "rsa"))
    assert issuer.call_count == 1
    clock.value += 1
    await published.verify(signed(EC, "ES256", "ec"))
    assert issuer.call_count == 2


async def test_a_new_key_is_found_and_invented_ones_are_not_asked_for(
    issuer: respx.Route, published: TokenVerifier, clock: Seconds
) -> None:
    await published.verify(signed(EC, "ES256", "ec"))
    issuer.respond(json={"keys": [*KEYS, public(RSAAlgorithm, OTHER_RSA, "new")]})
    token = signed(OTHER_RSA, "RS256", "new")
    for n in range(5):
        with pytest.raises(Unauthorized):
            await published.verify(signed(OTHER_RSA, "RS256", f"invented-{n}"))
    assert issuer.call_count == 1
    clock.value += jwks.PAUSE_S
    assert (await published.verify(token)).user_id == "u-1"
    assert issuer.call_count == 2


def redirecting(_: httpx.Request) -> httpx.Response:
    return httpx.Response(302, headers={"Location": "https://elsewhere.example/"})


def broken(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def slow(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("slow", request=request)


FAILURES: list[Callable[[httpx.Request], httpx.Response]] = [
    redirecting,
    broken,
    slow,
    lambda _: httpx.Response(500),
    lambda _: httpx.Response(200, content=b"not json"),
    lambda _: httpx.Response(200, content=b"[" * 100_000),
    lambda _: httpx.Response(200, json=[]),
    lambda _: httpx.Response(200, json={"keys": {}}),
    lambda _: httpx.Response(200, json={"keys": KEYS, "padding": "x" * jwks.LARGEST_BYTES}),
]


@pytest.mark.parametrize("failure", FAILURES)
async def test_an_issuer_that_fails_is_not_a_wrong_token(
    issuer: respx.Route,
    published: TokenVerifier,
    clock: Seconds,
    failure: Callable[[httpx.Request], httpx.Response],
) -> None:
    issuer.mock(side_effect=failure)
    token = signed(EC, "ES256", "ec")
    for _ in range(3):
        with pytest.raises(Unavailable):
            await published.verify(token)
    assert issuer.call_count == 1
    issuer.mock(return_value=httpx.Response(200, json={"keys": KEYS}))
    clock.value += jwks.RETRY_S
    assert (await published.verify(token)).user_id == "u-1"


async def test_requests_that_wait_for_an_issuer_that_hangs_wait_for_one_fetch(
    issuer: respx.Route, published: TokenVerifier, clock: Seconds
) -> None:
    def hang(request: httpx.Request) -> httpx.Response:
        clock.value += jwks.TIMEOUT_S
        raise httpx.ReadTimeout("slow", request=request)

    issuer.mock(side_effect=hang)
    token = signed(EC, "ES256", "ec")
    found = await asyncio.gather(*(published.verify(token) for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in found] == [Unavailable] * 5
    assert issuer.call_count == 1


async def test_a_fetch_whose_request_was_cancelled_is_made_again(
    issuer: respx.Route, published: TokenVerifier, clock: Seconds
) -> None:
    begun = asyncio.Event()

    async def hang(_request: httpx.Request) -> httpx.Response:
        begun.set()
        return await asyncio.Future()

    issuer.mock(side_effect=hang)
    token = signed(EC, "ES256", "ec")
    verifying = asyncio.create_task(published.verify(token))
    await begun.wait()
    verifying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await verifying
    issuer.mock(return_value=httpx.Response(200, json={"keys": KEYS}))
    clock.value += jwks.RETRY_S
    assert (await published.verify(token)).user_id == "u-1"


async def test_known_keys_outlive_a_short_failure(
    issuer: respx.Route, published: TokenVerifier, clock: Seconds
) -> None:
    token = signed(EC, "ES256", "ec")
    await published.verify(token)
    issuer.mock(side_effect=broken)
    clock.value += jwks.FRESH_S
    assert (await published.verify(token)).user_id == "u-1"
    with pytest.raises(Unavailable):
        await published.verify(signed(OTHER_RSA, "RS256", "new"))
    clock.value += jwks.USABLE_S
    with pytest.raises(Unavailable):
        await published.verify(token)
