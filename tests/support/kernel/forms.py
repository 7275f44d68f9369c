"""Invalid input: each is refused by itself, changes nothing, and fails no other operation."""

from decimal import Decimal
from typing import Any

from support.kernel.harness import Kernel, Op, check, error_of, op, refund, transfer
from wallet_service.core.identifiers import new_id

MISSING = object()

_AMOUNTS: list[Any] = [
    *(
        "0",
        "0.00",
        "-1",
        "-0.01",
        "-0",
        "+1",
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "inf",
        "1e400",
        "1E5",
        "9" * 39,
    ),
    *(
        "9" * 21,
        "100000000000000000000",
        "1" + "0" * 37,
        "\u0663",
        "\uff11\uff12",
        "1.",
        ".5",
        ".",
        "1.2.3",
        "",
        " 1",
    ),
    *("1 ", "1\n", "0x10", "1_000", "1,000", "ten", "\u00bd", "1." + "0" * 39),
    *(True, False, [], {}, ["1"], {"value": "1"}, None, MISSING, 0, -5, 10**20, 10**400),
]

_MEMBERS: dict[str, list[Any]] = {
    "transaction_id": [
        MISSING,
        None,
        "",
        "x",
        5,
        {},
        [],
        True,
        "0199d0a8-0000-7000-8000-00000000000",
        "0" * 32,
    ],
    "wallet_id": [
        MISSING,
        None,
        "",
        "main",
        5,
        {},
        "{0199d0a8-0000-7000-8000-000000000001}",
        new_id() + "\n",
    ],
    "type": [MISSING, None, "", "mint", "DEPOSIT", "deposit ", 5, {}, ["deposit"]],
    "to_wallet_id": [new_id(), "x", "", 5],
    "original_transaction_id": [new_id(), "x", "", 5],
    "client_id": ["", "c" * 601, 5, [], {}, True],
    "idempotency_key": ["", "k" * 256, "clé", "a\tb", "a\nb", "k\n", "\u007f", 5, {}, [], True],
    "acting_user_id": ["", "u" * 256, 5, {}, []],
    "counter_account": [
        *(
            "",
            "bank:x",
            "revenue",
            "revenue:",
            "promotions:",
            "revenue:a b",
            "revenue:\u00e9",
            "external:x\n",
        ),
        *("revenue:" + "a" * 101, "Revenue:x", "wallet:x", f"wallet:{new_id()}", 5, {}, []),
    ],
    "reference": ["", "r" * 256, "a\u0001", "a\nb", "a\u007f", "a\u0085", 5, {}, [], True],
    "description": ["d" * 1001, "a\u0002", "a\u001b[31m", "a\u0090", 5, {}, True],
    "metadata": ["x", 5, [1], True, {"m": "x" * 16400}, {"m": {"n": ["é" * 9000]}}],
    "effective_at": [
        *(
            "",
            "2026-01-01",
            "yesterday",
            "now",
            "infinity",
            "epoch",
            "2026-01-01T00:00:00",
            "2026-13-01T00:00:00Z",
        ),
        *(
            "2026-01-01T25:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01T00:00:00+99:99",
            "0000-01-01T00:00:00Z",
        ),
        *("\uff12\uff10\uff12\uff16-01-01T00:00:00Z", "2026-01-01T00:00:00Z\n", "20260101T000000Z", 5, {}),
    ],
    "note": ["a stranger"],
    "balance_after": ["1000000"],
}

_CALLS: list[Any] = [
    *(
        None,
        {},
        "units",
        5,
        [5],
        [None],
        [{}],
        [{"operations": []}],
        [{"operations": {}}],
        [{"operations": None}],
    ),
    *(
        [{"operations": [{}], "atomic": "yes"}],
        [{"operations": [{}], "dry_run": 1}],
        [{"operations": [{}], "x": True}],
    ),
    *(
        [{"operations": [{}], "resent": True, member: value}]
        for member in ("attempt", "sending")
        for value in (0, -1, 1.5, 1_000_000, "1", True, None, [1])
    ),
    [{"operations": [{}], "attempt": 2}],
    [{"operations": [{}], "resent": False, "sending": 2}],
]


def _changed(operation: Op, member: str, value: Any) -> Op:
    changed = {name: old for name, old in operation.items() if name != member}
    return changed if value is MISSING else changed | {member: value}


async def _refused_alone(kernel: Kernel, good: Op, bad: list[tuple[Any, str]]) -> None:
    """Each bad operation alone changes nothing. All of them in one call do not affect the other operations."""
    before = await kernel.state()
    for operation, code in bad:
        for dry_run in (False, True):
            outcome = await kernel.one(operation, dry_run=dry_run)
            assert (outcome.status, outcome.code) == ("refused", code), (operation, outcome)
    assert await kernel.state() == before
    for wait_ms in (2000, 0):
        first, *refused, last = await kernel.all(
            good | {"transaction_id": new_id()},
            *(operation for operation, _ in bad),
            good | {"transaction_id": new_id()},
            wait_ms=wait_ms,
        )
        assert (first.status, last.status) == ("posted", "posted"), (first, last)
        assert [outcome.status_or_code for outcome in refused] == [code for _, code in bad]
        assert last.transaction["balance_before"] == first.transaction["balance_after"]
    assert len((await kernel.state())["wallet_transactions"]) == len(before["wallet_transactions"]) + 4


@check
async def bad_amounts(kernel: Kernel) -> None:
    good = op("deposit", await kernel.wallet("100"), "10")
    await _refused_alone(
        kernel, good, [(_changed(good, "amount", value), "amount_invalid") for value in _AMOUNTS]
    )


@check
async def bad_members(kernel: Kernel) -> None:
    good = op("deposit", await kernel.wallet("100"), "10")
    bad: list[tuple[Any, str]] = [
        (_changed(good, member, value), "validation_failed")
        for member, values in _MEMBERS.items()
        for value in values
    ]
    await _refused_alone(kernel, good, bad)
    for operation, _ in bad:
        (error,) = (await kernel.one(operation)).facts["errors"]
        (member,) = {
            name
            for name in operation.keys() | good.keys()
            if operation.get(name, MISSING) != good.get(name, MISSING)
        }
        assert error["pointer"] == f"/{member}", (operation, error)


@check
async def bad_shapes(kernel: Kernel) -> None:
    source, target = await kernel.wallet("100"), await kernel.wallet()
    good = op("consume", source, "1")
    bad: list[Any] = [
        *(5, "deposit", None, [], True),
        _changed(transfer(source, target, "1"), "to_wallet_id", MISSING),
        _changed(transfer(source, target, "1"), "to_wallet_id", "x"),
        transfer(source, target, "1") | {"counter_account": "revenue:x"},
        transfer(source, target, "1") | {"original_transaction_id": new_id()},
        _changed(refund(new_id()), "original_transaction_id", MISSING),
        refund("x"),
        refund(new_id()) | {"wallet_id": source},
        refund(new_id()) | {"to_wallet_id": source},
        refund(new_id()) | {"counter_account": "revenue:x"},
    ]
    await _refused_alone(kernel, good, [(operation, "validation_failed") for operation in bad])


@check
async def bad_calls(kernel: Kernel) -> None:
    before = await kernel.state()
    for units in _CALLS:
        assert await error_of(kernel.call(units)) == ("WL001", "validation_failed"), units
    assert await kernel.state() == before
    assert await kernel.call([]) == "[]"


@check
async def precision_of_the_currency(kernel: Kernel) -> None:
    for currency, fits, exact, too_fine in (
        ("USD", "0.01", "0.010", ["0.001", "1.005", "0.011", 0.1 + 0.2, "1." + "0" * 37 + "1"]),
        ("JPY", "1", "1.000", ["1.5", "0.1", 0.5]),
        ("CREDIT", "0.000001", "0.00000100", ["0.0000001"]),
        ("ETH", "0.000000000000000001", "0.0000000000000000010", ["0.0000000000000000001"]),
    ):
        good = op("deposit", await kernel.wallet("100", currency), fits)
        await _refused_alone(
            kernel, good, [(_changed(good, "amount", value), "amount_precision") for value in too_fine]
        )
        outcome = await kernel.one(op("deposit", good["wallet_id"], exact))
        assert outcome.transaction["amount"] == fits


@check
async def no_such_wallet(kernel: Kernel) -> None:
    source, other = await kernel.wallet("100"), await kernel.wallet(currency="JPY")
    good = op("consume", source, "1")
    bad = [
        (op("deposit", new_id(), "1"), "wallet_not_found"),
        (op("consume", new_id(), "1"), "wallet_not_found"),
        (transfer(source, new_id(), "1"), "wallet_not_found"),
        (transfer(new_id(), source, "1"), "wallet_not_found"),
        (transfer(source, source, "1"), "same_wallet"),
        (transfer(source, other, "1"), "currency_mismatch"),
        (refund(new_id()), "transaction_not_found"),
    ]
    await _refused_alone(kernel, good, bad)


@check
async def closed_and_frozen(kernel: Kernel) -> None:
    source = await kernel.wallet("100")
    closed, frozen = await kernel.wallet(status="closed"), await kernel.wallet("50", status="frozen")
    bad = [
        *(
            (op(kind, closed, "1"), "wallet_closed")
            for kind in ("deposit", "reward", "consume", "withdraw", "fee")
        ),
        (transfer(source, closed, "1"), "wallet_closed"),
        (transfer(closed, source, "1"), "wallet_closed"),
        *((op(kind, frozen, "1"), "wallet_frozen") for kind in ("consume", "withdraw", "fee")),
        (transfer(frozen, source, "1"), "wallet_frozen"),
    ]
    await _refused_alone(kernel, op("consume", source, "1"), bad)
    taken = await kernel.all(
        op("deposit", frozen, "1"), op("reward", frozen, "1"), transfer(source, frozen, "1")
    )
    assert [outcome.status for outcome in taken] == ["posted"] * 3
    assert await kernel.balance(frozen) == 53


@check
async def acting_user(kernel: Kernel) -> None:
    mine, theirs = await kernel.wallet("100", user="me"), await kernel.wallet("100", user="them")
    posted = op("consume", theirs, "5")
    spent = op("consume", await kernel.wallet("1", user="me"), "1")
    for operation in (posted, spent):
        assert (await kernel.one(operation)).status == "posted"
    bad = [
        *((op(kind, theirs, "1"), "wallet_not_found") for kind in ("consume", "withdraw", "fee")),
        *((op(kind, mine, "1"), "forbidden") for kind in ("deposit", "reward")),
        (transfer(theirs, mine, "1"), "wallet_not_found"),
        (refund(posted), "transaction_not_found"),
        (refund(spent), "forbidden"),
    ]
    await _refused_alone(
        kernel,
        op("consume", mine, "1", acting_user_id="me"),
        [(operation | {"acting_user_id": "me"}, code) for operation, code in bad],
    )
    outcome = await kernel.one(transfer(mine, theirs, "1", acting_user_id="me"))
    own, other = outcome.transaction["legs"]
    assert (own["user_id"], own["balance_after"]) == ("me", "95.00")
    hidden = ("user_id", "balance_before", "balance_after", "wallet_version")
    assert [other[member] for member in hidden] == [None] * 4
    assert other["amount"] == "1.00"


@check
async def funds(kernel: Kernel) -> None:
    wallet = await kernel.wallet("100", credit_limit="20", locked="30")
    good = op("consume", wallet, "1")
    await _refused_alone(kernel, good, [(op("consume", wallet, "90.01"), "insufficient_funds")])
    await kernel.one(op("deposit", wallet, "4"))
    outcome = await kernel.one(op("withdraw", wallet, "90.01"))
    assert (outcome.code, outcome.facts["shortfall"]) == ("insufficient_funds", "0.01")
    assert (await kernel.one(op("withdraw", wallet, "90"))).transaction["balance_after"] == "10.00"
    assert (await kernel.one(op("fee", wallet, "0.01"))).facts["shortfall"] == "0.01"
    spent = await kernel.wallet("10")
    transferred = await kernel.all(transfer(spent, wallet, "10"), transfer(spent, wallet, "0.01"))
    assert [outcome.status_or_code for outcome in transferred] == ["posted", "insufficient_funds"]


@check
async def balance_limit(kernel: Kernel) -> None:
    largest = "99999999999999999999.99"
    full, source = await kernel.wallet(largest), await kernel.wallet("10")
    bad = [
        (op("deposit", full, "0.01"), "balance_limit"),
        (op("reward", full, largest), "balance_limit"),
        (transfer(source, full, "1"), "balance_limit"),
    ]
    await _refused_alone(kernel, op("consume", source, "0.01"), bad)
    assert await kernel.balance(full) == Decimal(largest)
    ether = await kernel.wallet("99999999999999999999.999999999999999999", "ETH")
    assert (await kernel.one(op("deposit", ether, "0.000000000000000001"))).code == "balance_limit"


@check
async def good_forms(kernel: Kernel) -> None:
    wallet = await kernel.wallet("100")
    defaults = {
        "deposit": "external:deposits",
        "withdraw": "external:withdrawals",
        "consume": "revenue:usage",
        "reward": "promotions",
        "fee": "revenue:fees",
    }
    for kind, counter in defaults.items():
        assert (await kernel.one(op(kind, wallet, "1"))).transaction["counter_account"] == counter
    for counter in (
        "promotions",
        "revenue:usage:gpt",
        "external:bank.A-1_x",
        "promotions:x",
        "expense:" + "e" * 100,
    ):
        assert (await kernel.one(op("fee", wallet, "1", counter_account=counter))).transaction[
            "counter_account"
        ] == counter
    for moment, text in (
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02t03:04:05.5z", "2026-01-02T03:04:05.500000Z"),
        ("2026-01-02 03:04:05.123456-07:30", "2026-01-02T10:34:05.123456Z"),
    ):
        assert (await kernel.one(op("fee", wallet, "1", effective_at=moment))).transaction[
            "effective_at"
        ] == text
    whole = {
        "metadata": {"m": "x" * (16384 - len('{"m": ""}'))},
        "reference": "r\u00e9f" + "\U0001f600" * 252,
        "description": "two\nlines\tand \u4e00" + "d" * 980,
        "idempotency_key": "~" + " " * 253 + "!",
        "acting_user_id": (
            await kernel.value("select user_id from wallet.wallets where wallet_id = $1", wallet)
        ),
        "client_id": "c" * 600,
    }
    outcome = await kernel.one(op("consume", wallet, 1.5) | whole)
    assert outcome.status == "posted", outcome
    for member in ("metadata", "reference", "description", "client_id"):
        assert outcome.transaction[member] == whole[member]
    assert (await kernel.one(op("deposit", wallet.upper(), "1.000", metadata=None))).transaction[
        "metadata"
    ] == {}


@check
async def answer_is_the_row(kernel: Kernel) -> None:
    source, target = await kernel.wallet("100"), await kernel.wallet("5")
    sent = transfer(source, target, "12.5", reference="r", description="d", metadata={"a": [1, "b"]})
    answer = (await kernel.one(sent)).transaction
    assert answer["dry_run"] is False
    legs = await kernel.rows(
        """
        select leg, wallet_id::text, wallet_version, transaction_id::text, trim_scale(amount)::text as amount, direction,
          trim_scale(balance_before) as before, trim_scale(balance_after) as after, counter_account, currency, user_id
        from wallet.wallet_transactions where transaction_id = $1 order by leg
        """,
        sent["transaction_id"],
    )
    assert [(leg["wallet_id"], leg["direction"], leg["before"], leg["after"]) for leg in legs] == [
        (source, "debit", Decimal(100), Decimal("87.5")),
        (target, "credit", Decimal(5), Decimal("17.5")),
    ]
    for leg, shown, other in zip(legs, answer["legs"], (target, source), strict=True):
        assert leg["counter_account"] == shown["counter_account"] == f"wallet:{other}"
        assert (leg["wallet_version"], shown["wallet_version"]) == (2, 2)
        assert (Decimal(shown["balance_before"]), Decimal(shown["balance_after"])) == (
            leg["before"],
            leg["after"],
        )
        assert shown["user_id"] == leg["user_id"]
        assert (shown["amount"], shown["metadata"]) == ("12.50", {"a": [1, "b"]})
