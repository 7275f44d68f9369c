"""Wallets of organizations, and who may use them."""

import pytest
from support.access_checks import UNAVAILABLE, create_shared_wallet, user_calls
from support.api import Api, posted, problem
from support.event_stream import streaming
from support.stand_in import StandIn

from wallet_service.core.identifiers import new_id
from wallet_service.delivery.events import stream
from wallet_service.platform.upstreams import cache


async def test_a_member_acts_on_the_organizations_wallet(api: Api, upstreams: StandIn) -> None:
    shared = await create_shared_wallet(api)
    asked = len(upstreams.questions)
    for name, use in user_calls(shared).items():
        answer = await use()
        assert answer.status_code in {200, 201}, (name, answer.text)
    path = f"/api/v1/organizations/{shared.organization_id}/members/{shared.user.user_id}"
    assert upstreams.paths()[asked:] == [path], "asked once for all of it"


async def test_others_do_not(api: Api, upstreams: StandIn) -> None:
    shared = await create_shared_wallet(api)
    spent = posted(await api.admin.move("consume", shared.wallet_id))
    assert shared.user.user_id is not None
    upstreams.strangers.add((shared.organization_id, shared.user.user_id))
    balance = await api.admin.balance(shared.wallet_id)
    for use in user_calls(shared).values():
        assert problem(await use(), "forbidden")["wallet_id"] == shared.wallet_id
    problem(await shared.user.get(f"/transactions/{spent['transaction_id']}"), "forbidden")
    problem(await shared.user.delete(f"/wallets/{shared.wallet_id}"), "forbidden")
    assert await api.admin.balance(shared.wallet_id) == balance, "services go on"


async def test_in_a_batch_each_operation_is_looked_at(api: Api, upstreams: StandIn) -> None:
    shared = await create_shared_wallet(api)
    user_id = shared.user.user_id
    assert user_id is not None
    own = (await api.admin.wallet("10", user_id=user_id, name="own"))["wallet_id"]
    upstreams.strangers.add((shared.organization_id, user_id))
    operations = [{"type": "consume", "wallet_id": each, "amount": "1"} for each in (own, shared.wallet_id)]
    answer = await shared.user.batch(*operations)
    results = answer.json()["results"]
    assert [result["status"] for result in results] == ["posted", "refused"]
    assert results[1]["problem"]["code"] == "forbidden"
    assert problem(await shared.user.batch(*operations, atomic=True), "forbidden")["index"] == 1
    assert await api.admin.balance(own) == "9.000000"


async def test_of_a_refund_the_wallets_of_its_original_are_looked_at(api: Api, upstreams: StandIn) -> None:
    for is_member in (True, False):
        shared = await create_shared_wallet(api)
        user, user_id = shared.user, shared.user.user_id
        assert user_id is not None
        members = {"user_id": user_id, "organization_id": shared.organization_id, "keeping": "mirrored"}
        record = (await api.admin.wallet("10", name="bank", **members))["wallet_id"]
        spent = posted(await api.admin.move("withdraw", record))["transaction_id"]
        if is_member:
            posted(await user.refund(spent))
            continue
        upstreams.strangers.add((shared.organization_id, user_id))
        assert problem(await user.refund(spent), "forbidden")["wallet_id"] == record
        refund = {"type": "refund", "original_transaction_id": spent}
        problem(await user.batch(refund, atomic=True), "forbidden")
        problem(await user.refund(new_id()), "transaction_not_found")
        assert await api.admin.balance(record) == "9.000000"


async def test_of_a_transfer_both_sides_are_looked_at(api: Api, upstreams: StandIn) -> None:
    shared = await create_shared_wallet(api)
    user, user_id = shared.user, shared.user.user_id
    assert user_id is not None
    own = await api.admin.wallet("10", user_id=user_id, name="own")
    path = f"/wallets/{own['wallet_id']}/transfer"
    into, elsewhere = (
        {"amount": "1", "to_wallet_id": wallet_id}
        for wallet_id in (shared.wallet_id, (await api.admin.wallet("1"))["wallet_id"])
    )
    moved = posted(await api.admin.post(path, into))
    upstreams.strangers.add((shared.organization_id, user_id))
    problem(await user.post(path, into), "forbidden")
    problem(await user.get(f"/transactions/{moved['transaction_id']}"), "forbidden")
    seen = posted(await user.post(path, elsewhere))  # somebody else's wallet is nobody's business
    assert (await user.get(f"/transactions/{seen['transaction_id']}")).status_code == 200


async def test_another_users_wallet_is_still_not_there(api: Api, upstreams: StandIn) -> None:
    shared = await create_shared_wallet(api)
    await shared.user.get(f"/wallets/{shared.wallet_id}")
    stranger = api.user()
    asked = len(upstreams.questions)
    problem(await stranger.get(f"/wallets/{shared.wallet_id}"), "wallet_not_found")
    problem(await stranger.move("consume", shared.wallet_id), "wallet_not_found")
    problem(await stranger.get("/wallets/no-uuid"), "validation_failed")
    problem(await stranger.get(f"/wallets/{new_id()}"), "wallet_not_found")
    assert len(upstreams.questions) == asked


async def test_without_an_answer_they_go_on(api: Api, upstreams: StandIn) -> None:
    shared = await create_shared_wallet(api)
    upstreams.fault = UNAVAILABLE
    for name, use in user_calls(shared).items():
        answer = await use()
        assert answer.status_code in {200, 201}, (name, answer.text)


async def test_or_do_not_when_the_policy_says_so(strict: Api, upstreams: StandIn) -> None:
    shared = await create_shared_wallet(strict)
    own = strict.user()
    own_id = (await strict.admin.wallet("10", user_id=own.user_id))["wallet_id"]
    upstreams.fault = UNAVAILABLE
    for use in user_calls(shared).values():
        assert problem(await use(), "upstream_unavailable")["upstream"] == "organization"
    posted(await own.move("consume", own_id))
    posted(await strict.admin.move("consume", shared.wallet_id))


async def test_a_user_who_was_no_member_stays_none_while_the_upstream_is_unavailable(
    api: Api, upstreams: StandIn
) -> None:
    shared = await create_shared_wallet(api)
    assert shared.user.user_id is not None
    upstreams.strangers.add((shared.organization_id, shared.user.user_id))
    problem(await shared.user.move("consume", shared.wallet_id), "forbidden")
    api.app.state.clients.organizations._members._cached.clear()  # as 30 s later
    upstreams.fault = UNAVAILABLE
    problem(await shared.user.move("consume", shared.wallet_id), "forbidden")


async def test_an_unusable_response_lets_no_user_in(api: Api, upstreams: StandIn) -> None:
    shared = await create_shared_wallet(api)
    for upstreams.fault in ("422", "403", "html_404", "no_such_path", "another_id", "empty"):
        problem(await shared.user.move("consume", shared.wallet_id), "forbidden")
    upstreams.fault = "401"  # that is about this service, so it is an outage
    posted(await shared.user.move("consume", shared.wallet_id))
    upstreams.fault = None
    posted(await shared.user.move("consume", shared.wallet_id))


async def test_a_stream_of_the_wallet_ends_with_the_membership(
    api: Api, upstreams: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "KNOWN_S", 0.0)  # a membership is asked for each time
    monkeypatch.setattr(stream, "RECHECK_S", 0.02)
    shared = await create_shared_wallet(api)
    user_id = shared.user.user_id
    assert user_id is not None
    async with streaming(shared.user, wallet_id=shared.wallet_id) as reader, streaming(shared.user) as of_all:
        posted(await api.admin.move("consume", shared.wallet_id))
        assert (await reader.event())["walletid"] == (await of_all.event())["walletid"] == shared.wallet_id
        upstreams.strangers.add((shared.organization_id, user_id))
        await reader.end()
        posted(await api.admin.move("consume", shared.wallet_id))
        own = await api.admin.wallet(user_id=user_id, name="own")
        # That of all the user's wallets goes on, without the events of this one.
        assert (await of_all.event())["walletid"] == own["wallet_id"]
    problem(await shared.user.get("/events/stream", wallet_id=shared.wallet_id), "forbidden")
