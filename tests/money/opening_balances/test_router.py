import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager as Context
from typing import Any

import httpx
import pytest
from conftest import FreshApi
from support.api import Api, Client, new_user, pointers, posted, problem

from wallet_service.money.opening_balances.schemas import ImportOutcome
from wallet_service.money.opening_balances.service import GROUP

Unchanged = Callable[[], Context[None]]
CSV, NDJSON = "text/csv", "application/x-ndjson"


async def send(client: Client, body: bytes | AsyncIterator[bytes], content_type: str = CSV) -> httpx.Response:
    return await client.send("POST", "/wallets/import", body, headers={"Content-Type": content_type})


def outcomes(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].partition(";")[0] == NDJSON
    assert answer.content.endswith(b"\n")
    lines = answer.content.splitlines()
    for line in lines:
        ImportOutcome.model_validate_json(line)
    return [json.loads(line) for line in lines]


def told(answer: httpx.Response) -> list[tuple[int, str]]:
    """For each line its number, and its status or the code of its problem."""
    return [
        (each["line"], each["problem"]["code"] if each["problem"] else each["status"])
        for each in outcomes(answer)
    ]


def ndjson(*lines: Any) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def test_a_csv_with_every_column(api: Api) -> None:
    user_id = new_user()
    header = (
        "user_id,wallet_type,currency,name,organization_id,network,address,credit_limit,metadata,balance,"
        "effective_at,key"
    )
    row = (
        f'{user_id},crypto,ETH,"cold, ""deep""",org-1,ethereum,0xabc,2.5,"{{""a"": 1.10}}",'
        f"1.000000000000000001,2020-02-29T12:00:00+02:00,{user_id}/1"
    )
    answer = await send(api.admin, f"{header}\r\n{row}\r\n".encode())
    (outcome,) = outcomes(answer)
    assert (outcome["line"], outcome["status"], outcome["problem"]) == (2, "created", None)
    read = await api.admin.get(f"/wallets/{outcome['wallet_id']}")
    wallet = read.json()
    assert {
        name: wallet[name] for name in ("user_id", "wallet_type", "currency", "name", "organization_id")
    } == {
        "user_id": user_id,
        "wallet_type": "crypto",
        "currency": "ETH",
        "name": 'cold, "deep"',
        "organization_id": "org-1",
    }
    assert (wallet["network"], wallet["address"]) == ("ethereum", "0xabc")
    assert (wallet["balance"], wallet["credit_limit"]) == ("1.000000000000000001", "2.500000000000000000")
    assert b'{"a": 1.10}' in read.content
    (entry,) = (await api.admin.get(f"/wallets/{outcome['wallet_id']}/transactions")).json()["items"]
    assert entry["effective_at"] == "2020-02-29T10:00:00.000000Z"
    assert entry["created_at"] > entry["effective_at"]
    assert (entry["transaction_type"], entry["counter_account"]) == ("deposit", "external:opening-balances")
    assert (entry["client_id"], entry["amount"]) == ("admin", "1.000000000000000001")


async def test_mirrored_wallets_may_open_below_zero(api: Api) -> None:
    user_id = new_user()
    body = (
        "user_id,name,keeping,balance,credit_limit,effective_at\n"
        f"{user_id},card,mirrored,-20.5,,2020-02-29T10:00:00Z\n"
        f"{user_id},bank,mirrored,100,0,\n"
        f"{user_id},main,operating,5,,\n"
        f"{user_id},debt,,-5,,\n"
        f"{user_id},loan,mirrored,-5,10,\n"
        f"{user_id},house,elsewhere,1,,\n"
    ).encode()
    answer = await send(api.admin, body)
    assert told(answer) == [
        *((line, "created") for line in (2, 3, 4)),
        (5, "amount_invalid"),
        (6, "wallet_mirrored"),
        (7, "validation_failed"),
    ]
    assert outcomes(answer)[3]["problem"]["errors"][0]["pointer"] == "/balance"
    assert told(await send(api.admin, body))[:3] == [(line, "replayed") for line in (2, 3, 4)]
    wallets = {
        each["name"]: each for each in (await api.admin.get(f"/users/{user_id}/wallets")).json()["items"]
    }
    assert {name: (each["keeping"], each["balance"]) for name, each in wallets.items()} == {
        "card": ("mirrored", "-20.500000"),
        "bank": ("mirrored", "100.000000"),
        "main": ("operating", "5.000000"),
    }
    entries = (await api.admin.get(f"/users/{user_id}/transactions")).json()["items"]
    assert {(each["transaction_type"], each["direction"], each["counter_account"]) for each in entries} == {
        ("withdraw", "debit", "mirrored:opening"),
        ("deposit", "credit", "mirrored:opening"),
        ("deposit", "credit", "external:opening-balances"),
    }
    of_card = next(each for each in entries if each["direction"] == "debit")
    assert of_card["effective_at"] == "2020-02-29T10:00:00.000000Z"


async def test_defaults_and_empty_fields(api: Api) -> None:
    user_id = new_user()
    body = f"user_id,currency,credit_limit,metadata,effective_at\n{user_id},,,,\n"
    (outcome,) = outcomes(await send(api.admin, body.encode()))
    wallet = await api.admin.read(outcome["wallet_id"])
    assert (wallet["currency"], wallet["name"], wallet["wallet_type"]) == ("CREDIT", "main", "fiat")
    assert (wallet["balance"], wallet["last_entry"], wallet["metadata"]) == ("0.000000", 0, {})


@pytest.mark.parametrize("content_type", [NDJSON, "application/jsonl", "Application/X-NDJSON; charset=utf-8"])
async def test_json_lines(api: Api, content_type: str) -> None:
    one, two = new_user(), new_user()
    body = (
        ndjson({"user_id": one, "balance": "5", "metadata": {"a": [1]}})
        + b"\n  \n"
        + ndjson({"user_id": two})
    )
    answer = await send(api.admin, body.rstrip(b"\n"), content_type)
    assert told(answer) == [(1, "created"), (4, "created")]
    first, second = [await api.admin.read(each["wallet_id"]) for each in outcomes(answer)]
    assert (first["user_id"], first["balance"], first["metadata"]) == (one, "5.000000", {"a": [1]})
    assert (second["user_id"], second["balance"]) == (two, "0.000000")


async def test_an_amount_may_be_an_exact_number(api: Api) -> None:
    body = b'{"user_id": "%s", "balance": 12345678901234567890.123456}\n' % new_user().encode()
    (outcome,) = outcomes(await send(api.admin, body, NDJSON))
    assert await api.admin.balance(outcome["wallet_id"]) == "12345678901234567890.123456"


async def test_quotes_hold_commas_and_line_ends(api: Api) -> None:
    users = [new_user() for _ in range(3)]
    metadata = json.dumps({"note": "x"}, indent=1).replace('"', '""')
    body = (
        f'\ufeffuser_id,name,metadata\n{users[0]},"a, b","{metadata}"\n\n{users[1]},plain,\n"{users[2]}","",""\n'
    ).encode()
    answer = await send(api.admin, body)
    assert told(answer) == [(2, "created"), (6, "created"), (7, "created")]
    wallets = [await api.admin.read(each["wallet_id"]) for each in outcomes(answer)]
    assert [wallet["user_id"] for wallet in wallets] == users
    assert [wallet["name"] for wallet in wallets] == ["a, b", "plain", "main"]
    assert wallets[0]["metadata"] == {"note": "x"}


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_it_doesn_t_matter_how_the_body_is_cut(api: Api, size: int) -> None:
    users = [new_user() for _ in range(3)]
    body = "user_id,name\r\n" + "".join(f'{user_id},"Zoë\'s ""🏦"""\r\n' for user_id in users)
    encoded = body.encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(encoded), size):
            yield encoded[start : start + size]

    answer = await send(api.admin, pieces())
    assert told(answer) == [(2, "created"), (3, "created"), (4, "created")]
    assert (await api.admin.read(outcomes(answer)[2]["wallet_id"]))["name"] == 'Zoë\'s "🏦"'


@pytest.mark.parametrize(
    "header",
    ["user_id,colour", "user_id,user_id", "balance", "", "user_id;balance", 'user_id,"a"b', "User_ID"],
)
async def test_a_header_that_is_none(api: Api, unchanged: Unchanged, header: str) -> None:
    async with unchanged():
        document = problem(await send(api.admin, f"{header}\n{new_user()},1\n".encode()), "validation_failed")
        assert "first line" in document["detail"] or "quotes" in document["detail"]


BAD_ROWS: list[tuple[str, str]] = [
    ("{user},CREDIT,,", "amount_invalid"),
    ('{user},CREDIT,"",', "amount_invalid"),
    ("{user},CREDIT, ,", "amount_invalid"),
    ("{user},CREDIT,-1,", "amount_invalid"),
    ("{user},CREDIT,NaN,", "amount_invalid"),
    ("{user},CREDIT,1e3,", "amount_invalid"),
    ("{user},CREDIT,\u0661,", "amount_invalid"),
    ("{user},CREDIT,0.0000001,", "amount_precision"),
    ("{user},JPY,0.5,", "amount_precision"),
    ("{user},XXQ,1,", "currency_unknown"),
    ("{user},usd,1,", "validation_failed"),
    (",CREDIT,1,", "validation_failed"),
    ("{user},CREDIT,1", "validation_failed"),
    ("{user},CREDIT,1,,", "validation_failed"),
    ("{user},CREDIT,1,yesterday", "validation_failed"),
    ('{user},CREDIT,"1"2,', "validation_failed"),
    ("{user},CRE\rDIT,1,", "validation_failed"),
    ("{user}\x07,CREDIT,1,", "validation_failed"),
    ("{user}\x00,CREDIT,1,", "validation_failed"),
    ("x" * 256 + ",CREDIT,1,", "validation_failed"),
]


@pytest.mark.parametrize(("row", "code"), BAD_ROWS, ids=lambda value: repr(value)[:30])
async def test_a_bad_row_is_refused_in_its_place(api: Api, row: str, code: str) -> None:
    before, bad, after = new_user(), new_user(), new_user()
    body = "\n".join(
        [
            "user_id,currency,balance,effective_at",
            f"{before},,1,",
            row.replace("{user}", bad),
            f"{after},,1,",
            "",
        ]
    )
    answer = await send(api.admin, body.encode())
    assert told(answer) == [(2, "created"), (3, code), (4, "created")]
    refused = outcomes(answer)[1]
    assert refused["wallet_id"] is None
    assert refused["problem"]["status"] == 422
    assert (await api.admin.get(f"/users/{bad}/wallets")).json()["items"] == []


async def test_a_line_without_a_balance_can_be_corrected(api: Api) -> None:
    """A blank made a wallet with 0 once, and the corrected line was refused as another request."""
    for content_type, line in (
        (CSV, "user_id,balance\n{user},{balance}\n"),
        (NDJSON, '{{"user_id": "{user}", "balance": "{balance}"}}\n'),
    ):
        user = new_user()
        answer = await send(api.admin, line.format(user=user, balance="").encode(), content_type)
        (outcome,) = outcomes(answer)
        (error,) = outcome["problem"]["errors"]
        assert (error["pointer"], "write 0" in error["detail"]) == ("/balance", True)
        answer = await send(api.admin, line.format(user=user, balance="12.5").encode(), content_type)
        (outcome,) = outcomes(answer)
        assert outcome["status"] == "created"
        assert await api.admin.balance(outcome["wallet_id"]) == "12.500000"


async def test_a_row_that_is_not_utf8_is_refused_in_its_place(api: Api) -> None:
    one, two = new_user().encode(), new_user().encode()
    answer = await send(api.admin, b"user_id,name\n" + one + b",a\nx,\xff\n" + two + b",a\n")
    assert told(answer) == [(2, "created"), (3, "malformed_request"), (4, "created")]


BAD_LINES: list[tuple[bytes, str]] = [
    (b"{", "malformed_request"),
    (b"nonsense", "malformed_request"),
    (b"\xff", "malformed_request"),
    (b'{"user_id": "a", "user_id": "b"}', "malformed_request"),
    (b'{"user_id": "a", "balance": NaN}', "malformed_request"),
    (b'{"user_id": "a", "balance": null}', "amount_invalid"),
    (b"[" * 5000, "malformed_request"),
    (b"[]", "validation_failed"),
    (b"null", "validation_failed"),
    (b"7", "validation_failed"),
    (b"{}", "validation_failed"),
    (b'{"user_id": "a", "colour": 1}', "validation_failed"),
    (b'{"user_id": "a", "metadata": {"a": "' + b"x" * 17_000 + b'"}}', "validation_failed"),
    (b'{"user_id": "\\u0000"}', "validation_failed"),
    (b'{"user_id": "\\ud800"}', "validation_failed"),
    (b'{"user_id": "a", "balance": 1e401}', "validation_failed"),
    (b'{"user_id": "a", "balance": 1e400}', "amount_invalid"),
    (b'{"user_id": "a", "balance": true}', "amount_invalid"),
    (b'{"user_id": "a", "key": ""}', "validation_failed"),
]


@pytest.mark.parametrize(("line", "code"), BAD_LINES, ids=lambda value: repr(value)[:30])
async def test_a_bad_line_is_refused_in_its_place(api: Api, line: bytes, code: str) -> None:
    good = [ndjson({"user_id": new_user()}) for _ in range(2)]
    answer = await send(api.admin, good[0] + line + b"\n" + good[1], NDJSON)
    assert told(answer) == [(1, "created"), (2, code), (3, "created")]


async def test_a_problem_names_the_column(api: Api) -> None:
    body = f"user_id,name,balance,metadata\n{new_user()},,1,[]\n{new_user()},\x1b,1,\n{new_user()},,-1,\n"
    problems = [each["problem"] for each in outcomes(await send(api.admin, body.encode()))]
    assert [pointers(each) for each in problems] == [["/metadata"], ["/name"], ["/balance"]]


async def test_sent_again_it_makes_nothing_twice(api: Api, unchanged: Unchanged) -> None:
    users = [new_user() for _ in range(3)]
    body = ("user_id,balance\n" + "".join(f"{user_id},5\n" for user_id in users)).encode()
    first = await send(api.admin, body)
    posted(await api.admin.move("consume", outcomes(first)[0]["wallet_id"], "5"))
    async with unchanged():
        again = await send(api.admin, body)
        assert told(again) == [(2, "replayed"), (3, "replayed"), (4, "replayed")]
        assert [each["wallet_id"] for each in outcomes(again)] == [
            each["wallet_id"] for each in outcomes(first)
        ]
        as_json = await send(
            api.admin, ndjson(*({"user_id": user_id, "balance": "5"} for user_id in users)), NDJSON
        )
        assert {status for _, status in told(as_json)} == {"replayed"}


@pytest.mark.parametrize(
    "members", [{"balance": "6"}, {"metadata": {"a": 2}}, {"effective_at": "2021-01-01T00:00:00Z"}], ids=str
)
async def test_a_line_that_was_changed(api: Api, unchanged: Unchanged, members: dict[str, Any]) -> None:
    line: dict[str, Any] = {"user_id": new_user(), "balance": "5", "effective_at": "2020-01-01T00:00:00Z"}
    await send(api.admin, ndjson(line), NDJSON)
    async with unchanged():
        assert told(await send(api.admin, ndjson(line | members), NDJSON)) == [(1, "idempotency_key_reused")]


async def test_the_same_line_twice_in_one_import(api: Api) -> None:
    line = {"user_id": new_user(), "balance": "5"}
    answer = await send(api.admin, ndjson(line, line, line | {"balance": "6"}), NDJSON)
    assert told(answer) == [(1, "created"), (2, "replayed"), (3, "idempotency_key_reused")]
    assert await api.admin.balance(outcomes(answer)[0]["wallet_id"]) == "5.000000"


async def test_a_key_of_its_own_names_a_line(api: Api) -> None:
    user_id = new_user()
    line = {"user_id": user_id, "key": f"{user_id}/old-42", "balance": "5"}
    first = await send(api.admin, ndjson(line), NDJSON)
    assert told(first) == [(1, "created")]
    assert told(await send(api.admin, ndjson(line), NDJSON)) == [(1, "replayed")]
    other = await send(api.admin, ndjson({"user_id": user_id, "balance": "5"}), NDJSON)
    assert told(other) == [(1, "wallet_exists")]
    assert outcomes(other)[0]["problem"]["wallet_id"] == outcomes(first)[0]["wallet_id"]


def many(prefix: str, count: int) -> list[bytes]:
    return [f"{prefix}-{n},{n % 7 + 1}\n".encode() for n in range(count)]


async def test_more_lines_than_a_group(api: Api) -> None:
    count, prefix = 2 * GROUP + 3, new_user()
    rows = many(prefix, count)
    rows[GROUP] = b"bad,x\n"
    answer = await send(api.admin, b"user_id,balance\n" + b"".join(rows))
    expected = [(n + 2, "created") for n in range(count)]
    expected[GROUP] = (GROUP + 2, "amount_invalid")
    assert told(answer) == expected
    for n in (0, GROUP - 1, GROUP + 1, count - 1):
        wallet = await api.admin.read(outcomes(answer)[n]["wallet_id"])
        assert (wallet["user_id"], wallet["balance"]) == (f"{prefix}-{n}", f"{n % 7 + 1}.000000")


async def test_a_broken_import_goes_on_when_it_is_sent_again(api: Api) -> None:
    count, rows = GROUP + 20, many(new_user(), GROUP + 20)

    await api.admin.hang_up("/wallets/import", [b"user_id,balance\n", *rows[: GROUP + 5]], CSV)
    answer = await send(api.admin, b"user_id,balance\n" + b"".join(rows))
    assert told(answer) == [(n + 2, "replayed" if n < GROUP else "created") for n in range(count)]


async def test_two_at_once_make_each_wallet_once(api: Api) -> None:
    rows = many(new_user(), GROUP)
    answers = await asyncio.gather(
        send(api.admin, b"user_id,balance\n" + b"".join(rows)),
        send(api.admin, b"user_id,balance\n" + b"".join(rows)),
    )
    assert sorted(
        [status for _, status in told(answers[0])] + [status for _, status in told(answers[1])]
    ) == [
        *["created"] * GROUP,
        *["replayed"] * GROUP,
    ]


async def test_two_at_once_in_opposed_order(api: Api) -> None:
    for _ in range(3):
        rows = many(new_user(), GROUP)
        header = b"user_id,balance\n"
        answers = await asyncio.gather(
            send(api.admin, header + b"".join(rows)), send(api.admin, header + b"".join(reversed(rows)))
        )
        statuses = [status for answer in answers for _, status in told(answer)]
        assert sorted(statuses) == ["created"] * GROUP + ["replayed"] * GROUP


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n\n", b"user_id,balance\n"])
@pytest.mark.parametrize("content_type", [CSV, NDJSON])
async def test_nothing_to_import(api: Api, unchanged: Unchanged, body: bytes, content_type: str) -> None:
    async with unchanged():
        answer = await send(api.admin, body, content_type)
        if body.startswith(b"user") and content_type == NDJSON:
            assert told(answer) == [(1, "malformed_request")]
        else:
            problem(answer, "malformed_request")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "", "multipart/form-data"])
async def test_wrong_content_types(api: Api, unchanged: Unchanged, content_type: str) -> None:
    async with unchanged():
        answer = await send(api.admin, ndjson({"user_id": new_user()}), content_type)
        problem(answer, "unsupported_media_type")


async def test_a_quote_that_is_never_closed(api: Api) -> None:
    body = f'user_id,name\n{new_user()},"open\nand on\n'.encode()
    assert "line 2" in problem(await send(api.admin, body), "malformed_request")["detail"]


async def test_a_record_without_end(api: Api) -> None:
    for content_type, start in ((CSV, b'user_id\n"'), (NDJSON, b'{"user_id": "')):
        problem(await send(api.admin, start + b"x" * 200_000 + b"\n", content_type), "malformed_request")


async def test_only_the_operator_imports(api: Api, unchanged: Unchanged) -> None:
    service = await api.service("wallets:read", "wallets:write", "transactions:write", "stats:read")
    body = f"user_id,balance\n{new_user()},5\n".encode()
    async with unchanged():
        for client in (service, api.user()):
            assert problem(await send(client, body), "forbidden")["scope"] == "admin"
    assert told(await send(await api.service("admin"), body)) == [(2, "created")]


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit(fresh_api: FreshApi, declared: bool) -> None:
    small = await fresh_api(max_body_bytes=1024, import_max_bytes=4096)
    rows = many(new_user(), 200)

    async def pieces(count: int) -> AsyncIterator[bytes]:
        yield b"user_id,balance\n"
        for row in rows[:count]:
            yield row

    too_large = b"user_id,balance\n" + b"".join(rows) if declared else pieces(200)
    assert problem(await send(small.admin, too_large), "payload_too_large")["limit_bytes"] == 4096
    more_than_other_bodies = pieces(60)
    assert len(b"".join(rows[:60])) > 1024
    assert {status for _, status in told(await send(small.admin, more_than_other_bodies))} == {"created"}


async def test_a_body_that_ends_badly_says_how_far_it_got(api: Api) -> None:
    user_id = new_user()
    good = [f"{user_id},n{number}" for number in range(2 * GROUP)]
    answer = await send(api.admin, "\n".join(["user_id,name", *good, f'{user_id},"open']).encode())
    done = problem(answer, "malformed_request")["last_line_done"]
    assert done == 2 * GROUP + 1
    wallets = json.loads((await api.admin.get(f"/users/{user_id}/wallets?limit=100")).content)["items"]
    assert len(wallets) == 100
    answer = await send(api.admin, b'user_id,name\nu,"open')
    assert problem(answer, "malformed_request")["last_line_done"] == 0
