"""Whatever is sent to the paths that move money: a clear problem, and nothing done.

It is refused before the ledger is asked, or by the kernel, so one driver shows it; what is taken goes through both.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager as Context
from typing import Any

import pytest
from support.api import Api, posted, problem

from wallet_service.core.identifiers import new_id

Unchanged = Callable[[], Context[None]]
KINDS = ("deposit", "withdraw", "consume", "reward", "fee", "transfer", "refund")
MEGABYTE = 1024 * 1024

AMOUNTS: list[tuple[bytes, str]] = [
    (b"0", "amount_invalid"),
    (b"-0", "amount_invalid"),
    (b"0.000", "amount_invalid"),
    (b'"0"', "amount_invalid"),
    (b'"-0"', "amount_invalid"),
    (b"-1", "amount_invalid"),
    (b'"-1"', "amount_invalid"),
    (b'"+1"', "amount_invalid"),
    (b'"NaN"', "amount_invalid"),
    (b'"sNaN"', "amount_invalid"),
    (b'"Infinity"', "amount_invalid"),
    (b'"-Infinity"', "amount_invalid"),
    (b'"inf"', "amount_invalid"),
    (b"NaN", "malformed_request"),
    (b"Infinity", "malformed_request"),
    (b"-Infinity", "malformed_request"),
    (b"1e400", "amount_invalid"),
    (b"1e-400", "amount_invalid"),
    (b"1e401", "validation_failed"),
    (b"1e99999999999999999999", "validation_failed"),
    (b'"1e400"', "amount_invalid"),
    (b'"1e2"', "amount_invalid"),
    (b"0.30000000000000004", "amount_precision"),
    (b'"0.30000000000000004"', "amount_precision"),
    (b"1" * 39, "amount_invalid"),
    (b'"' + b"1" * 39 + b'"', "amount_invalid"),
    (b'"0.' + b"1" * 39 + b'"', "amount_invalid"),
    (b"100000000000000000000", "amount_invalid"),
    (b'"100000000000000000000"', "amount_invalid"),
    (b"1" * 65, "validation_failed"),
    (b'"' + b"1" * 5000 + b'"', "amount_invalid"),
    ('"\u0661\u0662"'.encode(), "amount_invalid"),  # Arabic-Indic digits
    ('"\uff11"'.encode(), "amount_invalid"),  # a full-width digit
    (b'"\\u0661"', "amount_invalid"),
    ('"1\u00a0"'.encode(), "amount_invalid"),
    (b'" 1"', "amount_invalid"),
    (b'"1\\n"', "amount_invalid"),
    (b'"1,5"', "amount_invalid"),
    (b'"1_000"', "amount_invalid"),
    (b'"0x10"', "amount_invalid"),
    (b'".5"', "amount_invalid"),
    (b'"5."', "amount_invalid"),
    (b'""', "amount_invalid"),
    (b"true", "amount_invalid"),
    (b"false", "amount_invalid"),
    (b"[]", "amount_invalid"),
    (b"[1]", "amount_invalid"),
    (b"{}", "amount_invalid"),
    (b'{"value": 1}', "amount_invalid"),
    (b'"1\\u0000"', "validation_failed"),
    (b".5", "malformed_request"),
    (b"5.", "malformed_request"),
    (b"+1", "malformed_request"),
    (b"01", "malformed_request"),
    (b"0x10", "malformed_request"),
    (b"1_000", "malformed_request"),
    (b"", "malformed_request"),
]

BODIES: list[tuple[bytes, str]] = [
    (b"", "malformed_request"),
    (b" ", "malformed_request"),
    (b"amount=1", "malformed_request"),
    (b'{"amount": "1"', "malformed_request"),
    (b'{"amount": "1"} x', "malformed_request"),
    (b'{"amount": "1",}', "malformed_request"),
    (b"{'amount': '1'}", "malformed_request"),
    (b'\xef\xbb\xbf{"amount": "1"}', "malformed_request"),
    (b'{"amount": "1", "amount": "2"}', "malformed_request"),
    (b'{"amount": "1", "metadata": {"a": 1, "a": 1}}', "malformed_request"),
    (b'{"amount": "1", "reference": "\xff\xfe"}', "malformed_request"),
    (b'{"amount": "1", "reference": "a\nb"}', "malformed_request"),
    (b'{"amount": "1", "metadata": {"n": NaN}}', "malformed_request"),
    (b"null", "validation_failed"),
    (b"true", "validation_failed"),
    (b"1", "validation_failed"),
    (b'"amount"', "validation_failed"),
    (b"[]", "validation_failed"),
    (b'[{"amount": "1"}]', "validation_failed"),
    (b"[" * 10_000 + b"]" * 10_000, "malformed_request"),
    (b"[" * 10_000, "malformed_request"),
    (b'{"amount": "1", "metadata": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001, "malformed_request"),
    (b'{"amount": "1", "metadata": ' + b'{"a":' * 33 + b"1" + b"}" * 34, "malformed_request"),
    (b'{"amount": "1", "metadata": {"a": ' + b"[" * 32 + b"]" * 32 + b"}}", "malformed_request"),
]

MEMBERS: list[tuple[bytes, str]] = [
    (b'"reference": ""', "/reference"),
    (b'"reference": "' + b"r" * 256 + b'"', "/reference"),
    (b'"reference": "line\\nline"', "/reference"),
    (b'"reference": "\\u001b[31m"', "/reference"),
    (b'"reference": "\\u007f"', "/reference"),
    (b'"reference": "\\u0085"', "/reference"),
    (b'"reference": 7', "/reference"),
    (b'"reference": "\\u0000"', ""),
    (b'"reference": "\\ud800"', ""),
    (b'"reference": "\\udc00\\ud800"', ""),
    (b'"description": "' + b"d" * 1001 + b'"', "/description"),
    (b'"description": "\\u0007"', "/description"),
    (b'"description": []', "/description"),
    (b'"description": "\\ud83d"', ""),
    (b'"metadata": []', "/metadata"),
    (b'"metadata": "{}"', "/metadata"),
    (b'"metadata": 1', "/metadata"),
    (b'"metadata": {"a": "' + b"x" * 16 * 1024 + b'"}', "/metadata"),
    (b'"metadata": {"' + b"k" * 16 * 1024 + b'": 1}', "/metadata"),
    (b'"metadata": {"a": "' + b"x" * (MEGABYTE - 200) + b'"}', "/metadata"),
    (b'"metadata": {"a": [' + b"1e400," * 100 + b"1]}", "/metadata"),
    (b'"metadata": {"a": "\\u0000"}', ""),
    (b'"metadata": {"\\u0000": 1}', ""),
    (b'"metadata": {"a": ["\\udfff"]}', ""),
    (b'"metadata": {"\\ud800": 1}', ""),
    (b'"metadata": {"a": 1e401}', ""),
    (b'"metadata": {"a": ' + b"1" * 65 + b"}", ""),
    (b'"effective_at": ""', "/effective_at"),
    (b'"effective_at": "2026-01-31"', "/effective_at"),
    (b'"effective_at": "2026-01-31T12:00:00"', "/effective_at"),
    (b'"effective_at": "2026-02-30T12:00:00Z"', "/effective_at"),
    (b'"effective_at": "2026-01-31T12:00:00+24:00"', "/effective_at"),
    (b'"effective_at": "0001-01-01T00:00:00+01:00"', "/effective_at"),
    (b'"effective_at": "9999-12-31T23:59:59-01:00"', "/effective_at"),
    (b'"effective_at": "infinity"', "/effective_at"),
    (b'"effective_at": "now"', "/effective_at"),
    (b'"effective_at": 1767225600', "/effective_at"),
    (b'"idempotency_key": ""', "/idempotency_key"),
    (b'"idempotency_key": "' + b"k" * 256 + b'"', "/idempotency_key"),
    (b'"idempotency_key": "\xc3\xa9"', "/idempotency_key"),
    (b'"idempotency_key": "a\\tb"', "/idempotency_key"),
    (b'"idempotency_key": 7', "/idempotency_key"),
    (b'"dry_run": "true"', "/dry_run"),
    (b'"dry_run": 1', "/dry_run"),
    (b'"currency": "USD"', "/currency"),
    (b'"client_id": "billing"', "/client_id"),
    (b'"acting_user_id": "x"', "/acting_user_id"),
    (b'"transaction_id": "0199d0a8-0000-7000-8000-000000000001"', "/transaction_id"),
    (b'"type": "deposit"', "/type"),
    (b'"": 1', "/"),
]

COUNTER_ACCOUNTS = (
    b'"wallet:x"',
    b'"revenue"',
    b'""',
    b'"assets:x"',
    b'"revenue: x"',
    b'"revenue:a\\n"',
    b"7",
    b"{}",
)


class Target:
    """A wallet with 10 of which something was spent, and the paths that move its money."""

    def __init__(self, api: Api, wallet_id: str, other_id: str, spent_id: str) -> None:
        self.api, self.wallet_id, self._other_id, self._spent_id = api, wallet_id, other_id, spent_id

    def path(self, kind: str) -> str:
        return (
            f"/transactions/{self._spent_id}/refund"
            if kind == "refund"
            else f"/wallets/{self.wallet_id}/{kind}"
        )

    def body(self, kind: str, amount: bytes = b'"1"', more: bytes = b"") -> bytes:
        to = b'"to_wallet_id": "' + self._other_id.encode() + b'", ' if kind == "transfer" else b""
        return b"{" + to + b'"amount": ' + amount + (b", " + more if more else b"") + b"}"

    async def refused(self, kind: str, body: bytes, code: str) -> dict[str, Any]:
        for key in (None, new_id()):
            document = problem(await self.api.admin.post(self.path(kind), body, key=key), code)
        return document


@pytest.fixture(scope="module")
async def target(direct_api: Api) -> Target:
    return await _target(direct_api)


async def _target(api: Api) -> Target:
    wallet, other = await api.admin.wallet("10"), await api.admin.wallet("10")
    spent = posted(await api.admin.move("consume", wallet["wallet_id"], "4"))
    return Target(api, wallet["wallet_id"], other["wallet_id"], spent["transaction_id"])


@pytest.mark.parametrize("kind", KINDS)
async def test_the_good_body_is_taken(api: Api, kind: str) -> None:
    target = await _target(api)
    words = b'"reference": "r", "description": "", "metadata": {"a": ' + b"[" * 30 + b"]" * 30 + b"}"
    answer = await target.api.admin.post(
        target.path(kind), target.body(kind, more=words + b', "dry_run": true')
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("amount", "code"), AMOUNTS, ids=lambda value: str(value)[:40])
async def test_amounts(target: Target, unchanged: Unchanged, amount: bytes, code: str) -> None:
    async with unchanged():
        for kind in KINDS:
            document = await target.refused(kind, target.body(kind, amount), code)
            if code == "amount_invalid":
                assert [error["pointer"] for error in document["errors"]] == ["/amount"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "refund"])
async def test_no_amount(target: Target, unchanged: Unchanged, kind: str) -> None:
    async with unchanged():
        await target.refused(kind, target.body(kind, b"null"), "amount_invalid")
        body = target.body(kind).replace(b'"amount": "1"', b'"reference": "r"')
        document = await target.refused(kind, body, "validation_failed")
        assert document["errors"][0]["pointer"] == "/amount"


@pytest.mark.parametrize(("body", "code"), BODIES, ids=lambda value: str(value)[:40])
async def test_bodies(target: Target, unchanged: Unchanged, body: bytes, code: str) -> None:
    async with unchanged():
        for kind in KINDS:
            await target.refused(kind, body, code)


@pytest.mark.parametrize(("member", "pointer"), MEMBERS, ids=lambda value: str(value)[:40])
async def test_members(target: Target, unchanged: Unchanged, member: bytes, pointer: str) -> None:
    async with unchanged():
        for kind in KINDS:
            document = await target.refused(kind, target.body(kind, more=member), "validation_failed")
            assert [error["pointer"] for error in document["errors"]] == [pointer]


@pytest.mark.parametrize("counter_account", COUNTER_ACCOUNTS, ids=str)
async def test_counter_accounts(target: Target, unchanged: Unchanged, counter_account: bytes) -> None:
    async with unchanged():
        for kind in KINDS:
            body = target.body(kind, more=b'"counter_account": ' + counter_account)
            document = await target.refused(kind, body, "validation_failed")
            assert [error["pointer"] for error in document["errors"]] == ["/counter_account"]


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/csv",
        "application/json; charset=latin-1",
        "json",
    ],
)
async def test_wrong_content_types(target: Target, unchanged: Unchanged, content_type: str) -> None:
    async with unchanged():
        for kind in KINDS:
            answer = await target.api.admin.send(
                "POST", target.path(kind), target.body(kind), headers={"Content-Type": content_type}
            )
            problem(answer, "unsupported_media_type")


async def test_no_body_at_all(target: Target, unchanged: Unchanged) -> None:
    async with unchanged():
        for kind in KINDS:
            problem(await target.api.admin.send("POST", target.path(kind)), "malformed_request")


@pytest.mark.parametrize("wallet_id", ["7", "x" * 36, "0199d0a8-0000-7000-8000-00000000000", "%00"])
async def test_wrong_ids_in_the_path(direct_api: Api, unchanged: Unchanged, wallet_id: str) -> None:
    async with unchanged():
        for kind in KINDS:
            room = "transactions" if kind == "refund" else "wallets"
            answer = await direct_api.admin.post(f"/{room}/{wallet_id}/{kind}", {"amount": "1"})
            problem(answer, "validation_failed")


async def _pieces(size: int) -> AsyncIterator[bytes]:
    yield b'{"amount": "1", "reference": "'
    for _ in range(size // 65536):
        yield b"x" * 65536
    yield b'"}'


@pytest.mark.parametrize("declared", [True, False])
async def test_ten_megabytes(target: Target, unchanged: Unchanged, declared: bool) -> None:
    async with unchanged():
        for kind in (*KINDS, "batch"):
            path = "/transactions/batch" if kind == "batch" else target.path(kind)
            body = b'{"amount": "' + b"1" * 10 * MEGABYTE + b'"}' if declared else _pieces(10 * MEGABYTE)
            document = problem(await target.api.admin.send("POST", path, body), "payload_too_large")
            assert document["limit_bytes"] == MEGABYTE
