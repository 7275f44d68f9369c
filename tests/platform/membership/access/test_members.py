"""Wallets of organizations, and who may use them."""

from support.api import Api, posted, problem
from support.guarded import AWAY, shared, uses
from support.stand_in import StandIn

from wallet_service.core.identifiers import new_id


async def test_a_member_acts_on_the_organizations_wallet(api: Api, others: StandIn) -> None:
    place = await shared(api)
    asked = len(others.questions)
    for name, use in uses(place).items():
        answer = await use()
        assert answer.status_code in {200, 201}, (name, answer.text)
    path = f"/api/v1/organizations/{place.organization_id}/members/{place.user.user_id}"
    assert others.paths()[asked:] == [path], "asked once for all of it"


async def test_others_do_not(api: Api, others: StandIn) -> None:
    place = await shared(api)
    spent = posted(await api.admin.move("consume", place.wallet_id))
    assert place.user.user_id is not None
    others.strangers.add((place.organization_id, place.user.user_id))
    balance = await api.admin.balance(place.wallet_id)
    for use in uses(place).values():
        assert problem(await use(), "forbidden")["wallet_id"] == place.wallet_id
    problem(await place.user.get(f"/transactions/{spent['transaction_id']}"), "forbidden")
    problem(await place.user.delete(f"/wallets/{place.wallet_id}"), "forbidden")
    assert await api.admin.balance(place.wallet_id) == balance, "services go on"


async def test_in_a_batch_each_operation_is_looked_at(api: Api, others: StandIn) -> None:
    place = await shared(api)
    user_id = place.user.user_id
    assert user_id is not None
    own = (await api.admin.wallet("10", user_id=user_id, name="own"))["wallet_id"]
    others.strangers.add((place.organization_id, user_id))
    operations = [{"type": "consume", "wallet_id": each, "amount": "1"} for each in (own, place.wallet_id)]
    answer = await place.user.batch(*operations)
    results = answer.json()["results"]
    assert [result["status"] for result in results] == ["posted", "refused"]
    assert results[1]["problem"]["code"] == "forbidden"
    assert problem(await place.user.batch(*operations, atomic=True), "forbidden")["index"] == 1
    assert await api.admin.balance(own) == "9.000000"


async def test_of_a_transfer_both_sides_are_looked_at(api: Api, others: StandIn) -> None:
    place = await shared(api)
    user, user_id = place.user, place.user.user_id
    assert user_id is not None
    own = await api.admin.wallet("10", user_id=user_id, name="own")
    path = f"/wallets/{own['wallet_id']}/transfer"
    into, elsewhere = (
        {"amount": "1", "to_wallet_id": wallet_id}
        for wallet_id in (place.wallet_id, (await api.admin.wallet("1"))["wallet_id"])
    )
    moved = posted(await api.admin.post(path, into))
    others.strangers.add((place.organization_id, user_id))
    problem(await user.post(path, into), "forbidden")
    problem(await user.get(f"/transactions/{moved['transaction_id']}"), "forbidden")
    seen = posted(await user.post(path, elsewhere))  # somebody else's wallet is nobody's business
    assert (await user.get(f"/transactions/{seen['transaction_id']}")).status_code == 200


async def test_another_users_wallet_is_still_not_there(api: Api, others: StandIn) -> None:
    place = await shared(api)
    await place.user.get(f"/wallets/{place.wallet_id}")
    stranger = api.user()
    asked = len(others.questions)
    problem(await stranger.get(f"/wallets/{place.wallet_id}"), "wallet_not_found")
    problem(await stranger.move("consume", place.wallet_id), "wallet_not_found")
    problem(await stranger.get("/wallets/no-uuid"), "validation_failed")
    problem(await stranger.get(f"/wallets/{new_id()}"), "wallet_not_found")
    assert len(others.questions) == asked


async def test_without_an_answer_they_go_on(api: Api, others: StandIn) -> None:
    place = await shared(api)
    others.fault = AWAY
    for name, use in uses(place).items():
        answer = await use()
        assert answer.status_code in {200, 201}, (name, answer.text)


async def test_or_do_not_when_the_policy_says_so(strict: Api, others: StandIn) -> None:
    place = await shared(strict)
    own = strict.user()
    own_id = (await strict.admin.wallet("10", user_id=own.user_id))["wallet_id"]
    others.fault = AWAY
    for use in uses(place).values():
        assert problem(await use(), "upstream_unavailable")["upstream"] == "organization"
    posted(await own.move("consume", own_id))
    posted(await strict.admin.move("consume", place.wallet_id))


async def test_who_was_none_stays_none_while_nobody_can_say(api: Api, others: StandIn) -> None:
    place = await shared(api)
    assert place.user.user_id is not None
    others.strangers.add((place.organization_id, place.user.user_id))
    problem(await place.user.move("consume", place.wallet_id), "forbidden")
    api.app.state.clients.organizations._members._cached.clear()  # as 30 s later
    others.fault = AWAY
    problem(await place.user.move("consume", place.wallet_id), "forbidden")


async def test_an_answer_of_no_use_lets_nobody_in(api: Api, others: StandIn) -> None:
    place = await shared(api)
    for others.fault in ("422", "403", "html_404", "no_such_path", "somebody_else", "empty"):
        problem(await place.user.move("consume", place.wallet_id), "forbidden")
    others.fault = "401"  # that is about this service, so it is an outage
    posted(await place.user.move("consume", place.wallet_id))
    others.fault = None
    posted(await place.user.move("consume", place.wallet_id))
