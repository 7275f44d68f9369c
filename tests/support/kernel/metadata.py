"""Metadata: SQL takes what HTTP takes, and refuses what readers of the result could not take."""

import json
from typing import Any

from support.kernel.harness import Kernel, check, error_of, op
from wallet_service.core.errors import WalletError
from wallet_service.core.identifiers import new_id
from wallet_service.platform.web.strict_json import loads

_TAKEN = [
    *("0", "-1", "1e400", "-1.5e-400", "1.50e-398", "9" * 64, "-" + "9" * 63, "0." + "1" * 62),
    *("1" + "0" * 58 + "e400", "0." + "0" * 56 + "1e-400", "1" + "0" * 63),
    *('"' + "7" * 5000 + '"', '"' + "[" * 40 + '"', "[" + "1," * 200 + "1]"),
]
_REFUSED = [
    *("7" * 5000, "-" + "7" * 5000, "7" * 65, "-0." + "3" * 65, "1." + "0" * 64, "7e470", "1e-500", "1e5000"),
    *('[{"deep": ' + "7" * 5000 + "}]", '{"text": "7", "n": [1, ' + "7" * 65 + "]}"),
]
_SIZE = [json.dumps("x" * length) for length in (16_000, 17_000)]
_DEPTHS = ["[" * depth + "1" + "]" * depth for depth in (29, 30, 31, 60)]


def _is_taken_over_http(value: str) -> bool:
    try:
        loads(f'{{"metadata": {{"n": {value}}}}}'.encode())
    except WalletError:
        return False
    return len(value) < 16_384  # core/fields.py


async def _fault(kernel: Kernel, value: str) -> Any:
    return await kernel.value("select wallet.find_metadata_fault($1::text::jsonb)", f'{{"n": {value}}}')


@check
async def metadata_is_what_http_takes(kernel: Kernel) -> None:
    for values, taken in ((_TAKEN, True), (_REFUSED, False)):
        for value in values:
            assert _is_taken_over_http(value) is taken, value
    for value in (*_TAKEN, *_REFUSED, *_SIZE, *_DEPTHS):
        assert (await _fault(kernel, value) is None) is _is_taken_over_http(value), value[:100]


@check
async def a_long_number_in_metadata_refuses_the_operation(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    units = json.dumps(
        [{"operations": [op("consume", wallet, "1", metadata={"n": "N"}), op("consume", wallet, "2")]}]
    )
    (refused, posted), *_ = json.loads(
        await kernel.value(
            "select wallet_api.post_transactions($1::text::jsonb)", units.replace('"N"', "7" * 5000)
        )
    )
    assert (refused["status"], refused["code"]) == ("refused", "validation_failed")
    assert refused["facts"]["errors"][0]["pointer"] == "/metadata"
    assert "a number with more than 64 digits" in refused["facts"]["errors"][0]["detail"]
    assert posted["status"] == "posted"
    assert await kernel.balance(wallet) == 8


@check
async def a_long_number_in_metadata_refuses_a_wallet_and_its_change(kernel: Kernel) -> None:
    metadata = '{"n": [' + "7" * 5000 + "]}"
    made = {"user_id": new_id(), "wallet_type": "fiat", "currency": "CREDIT", "name": "main"}
    wallet = json.dumps(made)[:-1] + f', "metadata": {metadata}}}'
    create = kernel.value(
        "select wallet_api.create_wallet($1::text::uuid, 'tests', null, $2::text::jsonb)", new_id(), wallet
    )
    assert await error_of(create) == ("WL001", "validation_failed")
    changed = await kernel.wallet("1")
    update = kernel.value(
        "select wallet_api.update_wallet($1::text::uuid, null, null, $2::text::jsonb)",
        changed,
        f'{{"metadata": {metadata}}}',
    )
    assert await error_of(update) == ("WL001", "validation_failed")
