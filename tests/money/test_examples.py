"""The examples of the API's document are true: the service answers the example of a response to that of its request."""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import FreshDatabase
from support.api import Api, Client, open_api
from support.polling import wait_until
from support.webhook_receiver import open_receiver

from contract.document import current
from contract.references import inlined
from wallet_service.platform.jobs.lifespan import running_worker
from wallet_service.platform.vault.keys import generate_key
from wallet_service.rooms import ROOMS

DOCUMENT = inlined(current())
OPERATIONS = {
    operation["operationId"]: operation
    for methods in DOCUMENT["paths"].values()
    for operation in methods.values()
}
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def schema(content: Mapping[str, Any]) -> dict[str, Any]:
    return DOCUMENT["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]


def body(operation_id: str, **replaced: str) -> dict[str, Any]:
    """The example of the request, with these values instead of its ids."""
    example: dict[str, Any] = schema(OPERATIONS[operation_id]["requestBody"]["content"]["application/json"])[
        "examples"
    ][0]
    return {
        name: [body_of | {"wallet_id": replaced["wallet_id"]} for body_of in value]
        if name == "operations"
        else replaced.get(name, value)
        for name, value in example.items()
    }


def shown(operation_id: str, status: int) -> Any:
    """The example of the response, as /docs shows it."""
    content = OPERATIONS[operation_id]["responses"][str(status)]["content"]["application/json"]
    if "examples" in content:
        (example,) = content["examples"].values()
        return example["value"]
    return schema(content)["examples"][0]


def agree(example: Any, answer: Any, place: str) -> None:
    """All but ids and times is equal, and ids and times have the same form."""
    if isinstance(example, dict):
        assert example.keys() == answer.keys(), place
        for name, value in example.items():
            agree(value, answer[name], f"{place}.{name}")
    elif isinstance(example, list):
        assert len(example) == len(answer), place
        for number, (one, other) in enumerate(zip(example, answer, strict=True)):
            agree(one, other, f"{place}.{number}")
    else:
        assert masked(example) == masked(answer), place


def masked(value: Any) -> Any:
    if isinstance(value, str):
        value = UUID.sub("<id>", TIME.sub("<time>", value))
        return re.sub(r"^user-\d$", "<user>", value)
    return value


@pytest.fixture
async def api(fresh_database: FreshDatabase) -> AsyncIterator[Api]:
    async with open_api((await fresh_database()).service_dsn) as opened:
        yield opened


@pytest.fixture
async def billing(api: Api) -> Client:
    """The client of the examples."""
    return await api.service(
        "wallets:read", "wallets:write", "transactions:write", "stats:read", name="billing"
    )


async def new_wallet(billing: Client, user_id: str = "user-1", **members: str) -> str:
    answer = await billing.post("/wallets", {**body("create_wallet"), "user_id": user_id, **members})
    agree(shown("create_wallet", 201), answer.json(), "create_wallet")
    return answer.json()["wallet_id"]


async def checked(operation_id: str, path: str, request: Mapping[str, Any], client: Client) -> str:
    """Post it as a dry run, then for good. Returns the transaction id."""
    for dry_run, status in ((True, 200), (False, 201)):
        answer = await client.post(path, {**request, "dry_run": dry_run})
        assert answer.status_code == status, answer.text
        agree(shown(operation_id, status), answer.json(), f"{operation_id} {status}")
    return answer.json()["transaction_id"]


async def test_movements(billing: Client) -> None:
    for number, (kind, operation_id) in enumerate(
        {
            "deposit": "deposit_to_wallet",
            "withdraw": "withdraw_from_wallet",
            "consume": "consume_from_wallet",
            "reward": "reward_wallet",
            "fee": "charge_fee",
        }.items()
    ):
        wallet_id = await new_wallet(billing, f"user-{number}")
        await checked(operation_id, f"/wallets/{wallet_id}/{kind}", body(operation_id), billing)
    await new_wallet(billing, "user-8")
    await checked(
        "consume_user_credits", "/users/user-8/credits/consume", body("consume_user_credits"), billing
    )


async def test_transfer_refund_and_batch(billing: Client) -> None:
    source, target = await new_wallet(billing), (await billing.wallet(user_id="user-2"))["wallet_id"]
    transfer = body("transfer_to_wallet", to_wallet_id=target)
    await checked("transfer_to_wallet", f"/wallets/{source}/transfer", transfer, billing)

    wallet_id = await new_wallet(billing, "user-3")
    consumed = (await billing.post(f"/wallets/{wallet_id}/consume", body("consume_from_wallet"))).json()
    path = f"/transactions/{consumed['transaction_id']}/refund"
    await checked("refund_transaction", path, body("refund_transaction"), billing)

    wallet_id = await new_wallet(billing, "user-4")
    answer = await billing.post("/transactions/batch", body("post_batch", wallet_id=wallet_id))
    agree(shown("post_batch", 200), answer.json(), "post_batch")


async def test_adjustment_and_exchange(billing: Client) -> None:
    wallet_id = await new_wallet(billing)
    await checked("adjust_wallet", f"/wallets/{wallet_id}/adjust", body("adjust_wallet"), billing)

    euros = await billing.wallet("100", user_id="user-2", currency="EUR")
    dollars = await billing.wallet(user_id="user-2", currency="USD")
    exchange = body("post_transaction")
    for entry, wallet in zip(exchange["entries"], (euros, dollars), strict=True):
        entry["wallet_id"] = wallet["wallet_id"]
    await checked("post_transaction", "/transactions", exchange, billing)


async def test_changes_of_a_wallet(billing: Client) -> None:
    wallet_id = await new_wallet(billing)
    changed = await billing.patch(f"/wallets/{wallet_id}", body("update_wallet"))
    agree(shown("update_wallet", 200), changed.json(), "update_wallet")
    empty = await billing.wallet(user_id="user-2")
    closed = await billing.delete(f"/wallets/{empty['wallet_id']}")
    agree(shown("close_wallet", 200), closed.json(), "close_wallet")


async def test_what_is_read(api: Api, billing: Client) -> None:
    wallet_id = await new_wallet(billing)
    for operation_id, path in {
        "get_wallet": f"/wallets/{wallet_id}",
        "list_user_wallets": "/users/user-1/wallets",
        "list_wallets": "/wallets",
    }.items():
        agree(shown(operation_id, 200), (await billing.get(path)).json(), operation_id)
    consumed = (await billing.post(f"/wallets/{wallet_id}/consume", body("consume_from_wallet"))).json()
    since = {"from": consumed["created_at"]}
    for operation_id, path, query in (
        ("get_transaction", f"/transactions/{consumed['transaction_id']}", {}),
        ("get_wallet_balance", f"/wallets/{wallet_id}/balance", {}),
        ("list_wallet_transactions", f"/wallets/{wallet_id}/transactions", {}),
        ("list_user_transactions", "/users/user-1/transactions", {}),
        ("get_wallet_statistics", f"/wallets/{wallet_id}/statistics", since),
        ("get_user_statistics", "/users/user-1/statistics", since),
        ("get_service_statistics", "/wallet/stats", {}),
        ("get_trial_balance", "/ledger/trial-balance", {}),
        ("get_user_credits", "/users/user-1/credits/balance", {}),
    ):
        agree(shown(operation_id, 200), (await billing.get(path, **query)).json(), operation_id)

    (shown_currency,) = shown("list_currencies", 200)["items"]
    assert shown_currency in (await billing.get("/currencies")).json()["items"]
    for operation_id, path in (
        ("check_liveness", "/health/live"),
        ("check_readiness", "/health/ready"),
        ("check_health", "/health"),
    ):
        agree(shown(operation_id, 200), (await api.http.get(path)).json(), operation_id)


async def test_a_file(api: Api) -> None:
    owner = await api.service("files:read", "files:write")
    headers = {"Content-Type": "text/csv"}
    content = b"date,amount\n2026-01,1"
    uploaded = (await owner.send("POST", "/files?name=statement.csv", content, headers=headers)).json()
    agree(shown("upload_file", 201), uploaded, "upload_file")
    found = await owner.get(f"/files/{uploaded['file_id']}")
    agree(shown("get_file", 200), found.json(), "get_file")
    agree(shown("list_files", 200), (await owner.get("/files")).json(), "list_files")


async def test_the_audit_trail(api: Api, billing: Client) -> None:
    auditor = await api.service("audit:read")
    path = f"/wallets/{await new_wallet(billing)}"
    await billing.send("PATCH", path, {"status": "frozen"}, headers={"User-Agent": "billing/1.0"})
    found = (await auditor.get("/audit", action="wallet.frozen")).json()
    for member in ("before", "after"):  # of free form, where the document leaves null out
        entry = found["items"][0]
        entry[member] = {name: value for name, value in entry[member].items() if value is not None}
    agree(shown("list_audit_entries", 200), found, "list_audit_entries")


async def test_an_import(api: Api) -> None:
    for media_type, content in OPERATIONS["import_wallets"]["requestBody"]["content"].items():
        answer = await api.admin.send(
            "POST",
            "/wallets/import",
            content["example"].replace("user-1", media_type).encode(),
            headers={"Content-Type": media_type},
        )
        assert answer.json()["status"] == "created", answer.text


def has_form_of(example: Any, answer: Any, place: str) -> None:
    """The same members, with values of the same types; any value can be null instead."""
    if isinstance(example, dict) and isinstance(answer, dict):
        assert example.keys() == answer.keys(), place
        for name, value in example.items():
            has_form_of(value, answer[name], f"{place}.{name}")
    elif isinstance(example, list) and isinstance(answer, list):
        for each in answer[:1] if example else ():
            has_form_of(example[0], each, f"{place}[]")
    elif example is not None and answer is not None:
        assert type(example) is type(answer), place


async def test_events(api: Api, billing: Client) -> None:
    await new_wallet(billing)
    reader = await api.service("events:read")
    page = (await reader.get("/events", types="transaction.posted", limit=1)).json()
    example = shown("list_events", 200)
    for each in (example, page):
        assert each["items"][0].pop("data")  # of the event's type, whose schema the catalogue has
    has_form_of(example, page, "list_events")
    example = shown("list_event_types", 200)
    (shown_type,) = example["items"]
    answer = (await reader.get("/events/types")).json()
    (found,) = [each for each in answer["items"] if each["type"] == shown_type["type"]]
    assert shown_type.keys() == found.keys()


async def test_jobs(api: Api) -> None:
    headers = {"Content-Type": "text/csv"}
    uploaded = await api.admin.send("POST", "/files?name=wallets.csv", b"user_id\nann\n", headers=headers)
    made = await api.admin.post("/wallets/import/jobs", {"file_id": uploaded.json()["file_id"]})
    assert made.status_code == 202, made.text
    has_form_of(shown("import_file", 202), made.json(), "import_file")
    path = f"/jobs/{made.json()['job_id']}"
    has_form_of(shown("get_job", 200), (await api.admin.get(path)).json(), "get_job")
    has_form_of(shown("list_jobs", 200), (await api.admin.get("/jobs")).json(), "list_jobs")
    has_form_of(shown("cancel_job", 200), (await api.admin.post(f"{path}/cancel")).json(), "cancel_job")
    has_form_of(shown("retry_job", 200), (await api.admin.post(f"{path}/retry")).json(), "retry_job")


async def test_webhooks(fresh_database: FreshDatabase) -> None:
    settings = {"webhooks_allowed_networks": "127.0.0.0/8", "credential_keys": generate_key("k1")}
    async with open_receiver() as receiver, open_api((await fresh_database()).service_dsn, **settings) as api:
        hooks = await api.service("webhooks:write", "wallets:write")
        created = await hooks.post("/webhooks", {"url": receiver.url})
        assert created.status_code == 201, created.text
        has_form_of(shown("create_webhook", 201), created.json(), "create_webhook")
        path = f"/webhooks/{created.json()['endpoint_id']}"
        has_form_of(shown("list_webhooks", 200), (await hooks.get("/webhooks")).json(), "list_webhooks")
        has_form_of(shown("get_webhook", 200), (await hooks.get(path)).json(), "get_webhook")
        changed = await hooks.patch(path, {"description": "other"})
        has_form_of(shown("update_webhook", 200), changed.json(), "update_webhook")
        ping = await hooks.post(f"{path}/ping")
        has_form_of(shown("ping_webhook", 200), ping.json(), "ping_webhook")
        rotated = await hooks.post(f"{path}/rotate-secret", {})
        has_form_of(shown("rotate_webhook_secret", 201), rotated.json(), "rotate_webhook_secret")
        await hooks.post("/wallets", {"user_id": "ann"})
        async with running_worker(api.app.state, api.app.state.settings, ROOMS):
            await wait_until(lambda: len(receiver.ids) > 1)
        deliveries = (await hooks.get(f"{path}/deliveries")).json()
        has_form_of(shown("list_webhook_deliveries", 200), deliveries, "list_webhook_deliveries")
        number = deliveries["items"][0]["number"]
        one = (await hooks.get(f"{path}/deliveries/{number}")).json()
        has_form_of(shown("get_webhook_delivery", 200), one, "get_webhook_delivery")
        replayed = await hooks.post(f"{path}/replay", {"dead": True})
        has_form_of(shown("replay_webhook", 202), replayed.json(), "replay_webhook")


async def test_limits(billing: Client, api: Api) -> None:
    wallet_id = await new_wallet(billing)
    await billing.post(f"/wallets/{wallet_id}/consume", body("consume_from_wallet"))
    keeper = await api.service("limits:read", "limits:write")
    path = f"/wallets/{wallet_id}/limits"
    answer = await keeper.send("PUT", path, body("set_limits"))
    agree(shown("set_limits", 200), answer.json(), "set_limits")
    agree(shown("get_limits", 200), (await keeper.get(path)).json(), "get_limits")


async def test_alerts(billing: Client, api: Api) -> None:
    wallet_id = await new_wallet(billing)
    keeper = await api.service("alerts:read", "alerts:write")
    path = f"/wallets/{wallet_id}/alerts"
    made = await keeper.post(path, body("create_alert"))
    has_form_of(shown("create_alert", 201), made.json(), "create_alert")
    one = f"{path}/{made.json()['alert_id']}"
    changed = await keeper.patch(one, body("update_alert"))
    has_form_of(shown("update_alert", 200), changed.json(), "update_alert")
    has_form_of(shown("get_alert", 200), (await keeper.get(one)).json(), "get_alert")
    has_form_of(shown("list_alerts", 200), (await keeper.get(path)).json(), "list_alerts")
    burn = await keeper.get(f"/wallets/{wallet_id}/burn-rate")
    has_form_of(shown("get_burn_rate", 200), burn.json(), "get_burn_rate")


async def test_grants(billing: Client, api: Api) -> None:
    wallet_id = await new_wallet(billing)
    giver = await api.service("grants:read", "grants:write")
    path = f"/wallets/{wallet_id}/grants"
    answer = await giver.post(path, body("create_grant"))
    grant = answer.json()
    agree(shown("create_grant", 201), grant, "create_grant")
    agree(shown("get_grant", 200), (await giver.get(f"/grants/{grant['grant_id']}")).json(), "get_grant")
    has_form_of(shown("list_grants", 200), (await giver.get(path)).json(), "list_grants")
    voided = await giver.post(f"/grants/{grant['grant_id']}/void", body("void_grant"))
    agree(shown("void_grant", 201), voided.json(), "void_grant")


async def test_grant_schedules(billing: Client, api: Api) -> None:
    wallet_id = await new_wallet(billing)
    giver = await api.service("grants:read", "grants:write")
    path = f"/wallets/{wallet_id}/grant-schedules"
    answer = await giver.post(path, body("create_grant_schedule"))
    schedule = answer.json()
    has_form_of(shown("create_grant_schedule", 201), schedule, "create_grant_schedule")
    one = f"{path}/{schedule['schedule_id']}"
    has_form_of(shown("get_grant_schedule", 200), (await giver.get(one)).json(), "get_grant_schedule")
    has_form_of(shown("list_grant_schedules", 200), (await giver.get(path)).json(), "list_grant_schedules")
    changed = await giver.send("PATCH", one, body("update_grant_schedule"))
    has_form_of(shown("update_grant_schedule", 200), changed.json(), "update_grant_schedule")


async def test_holds(billing: Client, api: Api) -> None:
    wallet_id = await new_wallet(billing)
    keeper = await api.service("holds:read", "holds:write", name="billing")
    path = f"/wallets/{wallet_id}/holds"
    answer = await keeper.post(path, body("create_hold"))
    agree(shown("create_hold", 201), answer.json(), "create_hold")
    one = f"/holds/{answer.json()['hold_id']}"
    agree(shown("get_hold", 200), (await keeper.get(one)).json(), "get_hold")
    has_form_of(shown("list_holds", 200), (await keeper.get(path)).json(), "list_holds")
    increased = await keeper.send("POST", f"{one}/increase", body("increase_hold") | {"dry_run": True})
    agree(shown("increase_hold", 201), increased.json(), "increase_hold")
    extended = await keeper.post(f"{one}/extend", body("extend_hold") | {"dry_run": True})
    agree(shown("extend_hold", 201), extended.json(), "extend_hold")
    voided = await keeper.post(f"{one}/void", body("void_hold") | {"dry_run": True})
    agree(shown("void_hold", 201), voided.json(), "void_hold")
    captured = await keeper.post(f"{one}/capture", body("capture_hold"))
    agree(shown("capture_hold", 201), captured.json(), "capture_hold")


async def test_rates_and_usage(billing: Client, api: Api) -> None:
    wallet_id = await new_wallet(billing)
    pricer = await api.service("rates:read", "rates:write")
    meter = await pricer.post("/meters", body("create_meter"))
    agree(shown("create_meter", 201), meter.json(), "create_meter")
    agree(shown("get_meter", 200), (await pricer.get("/meters/tokens")).json(), "get_meter")
    has_form_of(shown("list_meters", 200), (await pricer.get("/meters")).json(), "list_meters")
    card = (await pricer.post("/rate-cards", body("create_rate_card"))).json()
    agree(shown("create_rate_card", 201), card, "create_rate_card")
    path = f"/rate-cards/{card['rate_card_id']}"
    agree(shown("get_rate_card", 200), (await pricer.get(path)).json(), "get_rate_card")
    agree(shown("get_rate_version", 200), (await pricer.get(f"{path}/versions/1")).json(), "get_rate_version")
    has_form_of(shown("list_rate_cards", 200), (await pricer.get("/rate-cards")).json(), "list_rate_cards")
    reporter = await api.service("usage:write", "usage:read")
    usage = (await reporter.post("/usage", body("report_usage", wallet_id=wallet_id))).json()
    has_form_of(shown("report_usage", 201), usage, "report_usage")
    has_form_of(
        shown("get_usage", 200), (await reporter.get(f"/usage/{usage['usage_id']}")).json(), "get_usage"
    )
    event = body("report_usage", wallet_id=wallet_id) | {"event_id": "request-43"}
    batch = (await reporter.post("/usage/batch", {"events": [event]})).json()
    has_form_of(shown("report_usage_batch", 200), batch, "report_usage_batch")
    listed = (await reporter.get(f"/wallets/{wallet_id}/usage/events")).json()
    has_form_of(shown("list_usage_events", 200), listed, "list_usage_events")
    totals = (await reporter.get(f"/wallets/{wallet_id}/usage", group_by="meter,day")).json()
    has_form_of(shown("get_usage_totals", 200), totals, "get_usage_totals")
    added = await pricer.post(f"{path}/versions", body("add_rate_version"))
    has_form_of(shown("add_rate_version", 201), added.json(), "add_rate_version")
    ended = await pricer.post(f"{path}/end", body("end_rate_card"))
    has_form_of(shown("end_rate_card", 200), ended.json(), "end_rate_card")


async def test_top_ups(billing: Client, api: Api) -> None:
    wallet_id = await new_wallet(billing)
    charger = await api.service("top_ups:read", "top_ups:write")
    path = f"/wallets/{wallet_id}"
    answer = await charger.send("PUT", f"{path}/top-up-rule", body("set_top_up_rule"))
    agree(shown("set_top_up_rule", 200), answer.json(), "set_top_up_rule")
    rule = (await charger.get(f"{path}/top-up-rule")).json()
    agree(shown("get_top_up_rule", 200), rule, "get_top_up_rule")
    made = await charger.post(f"{path}/top-ups", body("create_top_up"))
    agree(shown("create_top_up", 202), made.json(), "create_top_up")
    agree(shown("list_top_ups", 200), (await charger.get(f"{path}/top-ups")).json(), "list_top_ups")
    found = (await charger.get(f"/top-ups/{made.json()['top_up_id']}")).json()
    agree(shown("get_top_up", 200), found, "get_top_up")


async def test_explanations(billing: Client, api: Api) -> None:
    wallet_id = await new_wallet(billing)
    await billing.post(f"/wallets/{wallet_id}/consume", body("consume_from_wallet"))
    reader = await api.service("wallets:read", "stats:read")
    found = (await reader.get(f"/wallets/{wallet_id}/explain")).json()
    agree(shown("explain_wallet", 200), found, "explain_wallet")
    summary = (await reader.get("/billing/summary")).json()
    has_form_of(shown("get_billing_summary", 200), summary, "get_billing_summary")


async def test_books(api: Api) -> None:
    keeper = await api.service("books:write", "labels:write", "wallets:write")
    answer = await keeper.post("/books", body("create_book"))
    book = answer.json()
    agree(shown("create_book", 201), book, "create_book")
    path = f"/books/{book['book_id']}"
    agree(shown("get_book", 200), (await keeper.get(path)).json(), "get_book")
    has_form_of(shown("list_books", 200), (await keeper.get("/books")).json(), "list_books")
    changed = await keeper.patch(path, body("update_book"))
    has_form_of(shown("update_book", 200), changed.json(), "update_book")
    wallet = await keeper.post("/wallets", {"user_id": "user-42", "currency": "EUR", "keeping": "mirrored"})
    member = f"{path}/wallets/{wallet.json()['wallet_id']}"
    answer = await keeper.send("PUT", member, body("set_book_wallet"))
    agree(shown("set_book_wallet", 200), answer.json(), "set_book_wallet")
    agree(shown("list_book_wallets", 200), (await keeper.get(f"{path}/wallets")).json(), "list_book_wallets")


async def test_exchange(api: Api) -> None:
    keeper = await api.service("rates:write", "exchange_rates:write", "conversions:write", "wallets:write")
    answer = await keeper.send("PUT", "/fx/rates", body("set_rates"))
    has_form_of(shown("set_rates", 200), answer.json(), "set_rates")
    has_form_of(shown("list_rates", 200), (await keeper.get("/fx/rates")).json(), "list_rates")
    query = {"from": "USD", "to": "EUR", "amount": "100.00", "day": "2026-01-04"}
    answer = await keeper.get("/fx/convert", **query)
    agree(shown("convert_amount", 200), answer.json(), "convert_amount")
    job = await keeper.post("/fx/rates/refresh")
    has_form_of(shown("refresh_rates", 202), job.json(), "refresh_rates")
    today = datetime.now(UTC).date().isoformat()
    rates = [{"base": "EUR", "quote": "USD", "day": today, "rate": "1.1"}]
    await keeper.send("PUT", "/fx/rates", {"rates": rates})
    quote = await keeper.post("/fx/quotes", body("create_quote"))
    has_form_of(shown("create_quote", 201), quote.json(), "create_quote")
    one, other = [
        (await keeper.post("/wallets", {"user_id": "u", "currency": code, "keeping": "mirrored"})).json()
        for code in ("EUR", "USD")
    ]
    sent = body("convert_from_wallet", to_wallet_id=other["wallet_id"])
    answer = await keeper.post(f"/wallets/{one['wallet_id']}/convert", sent)
    has_form_of(shown("convert_from_wallet", 201), answer.json(), "convert_from_wallet")


async def test_budgets(api: Api) -> None:
    keeper = await api.service("books:write", "labels:write", "budgets:write")
    await keeper.post("/books", body("create_book"))
    listed = (await keeper.get("/categories", user_id="user-42", limit=100)).json()["items"]
    keys = {each["system_key"]: each["label_id"] for each in listed}
    chosen = {
        "category_ids": [keys["food"]],
        "items": [{"category_id": keys["groceries"], "amount": "150.00"}],
    }
    answer = await keeper.post("/budgets", body("create_budget", **chosen))
    agree(shown("create_budget", 201), answer.json(), "create_budget")
    path = f"/budgets/{answer.json()['budget_id']}"
    agree(shown("get_budget", 200), (await keeper.get(path)).json(), "get_budget")
    answer = await keeper.send("PUT", path, body("set_budget", **chosen))
    agree(shown("set_budget", 200), answer.json(), "set_budget")
    listed = (await keeper.get("/budgets", user_id="user-42")).json()
    has_form_of(shown("list_budgets", 200), listed, "list_budgets")
    found = (await keeper.get("/budgets/progress", user_id="user-42")).json()
    has_form_of(shown("get_budget_progress", 200), found, "get_budget_progress")
    found = (await keeper.get(f"{path}/details")).json()
    has_form_of(shown("get_budget_details", 200), found, "get_budget_details")


async def test_categories(api: Api) -> None:
    keeper = await api.service("books:write", "labels:write")
    await keeper.post("/books", body("create_book"))
    listed = (await keeper.get("/categories", user_id="user-42")).json()
    has_form_of(shown("list_categories", 200), listed, "list_categories")
    keys = {each["system_key"]: each["label_id"] for each in listed["items"]}
    answer = await keeper.post("/categories", body("create_category", parent_id=keys["food"]))
    agree(shown("create_category", 201), answer.json(), "create_category")
    path = f"/categories/{answer.json()['label_id']}"
    agree(shown("get_category", 200), (await keeper.get(path)).json(), "get_category")
    answer = await keeper.patch(path, body("update_category"))
    has_form_of(shown("update_category", 200), answer.json(), "update_category")
    answer = await keeper.post(f"{path}/merge", body("merge_category", into=keys["groceries"]))
    has_form_of(shown("merge_category", 200), answer.json(), "merge_category")
    answer = await keeper.post(f"{path}/unmerge")
    has_form_of(shown("unmerge_category", 200), answer.json(), "unmerge_category")


@pytest.mark.parametrize(
    ("create", "get", "list_", "update", "merge", "unmerge"),
    [
        ("create_payee", "get_payee", "list_payees", "update_payee", "merge_payee", "unmerge_payee"),
        ("create_tag", "get_tag", "list_tags", "update_tag", "merge_tag", "unmerge_tag"),
    ],
)
async def test_payees_and_tags(
    api: Api, create: str, get: str, list_: str, update: str, merge: str, unmerge: str
) -> None:
    keeper = await api.service("books:write", "labels:write")
    await keeper.post("/books", body("create_book"))
    several = list_.removeprefix("list_")
    example = shown(create, 201)
    answer = await keeper.post(f"/{several}", body(create) | {"name": example["name"]})
    agree(example, answer.json(), create)
    path = f"/{several}/{answer.json()['label_id']}"
    agree(shown(get, 200), (await keeper.get(path)).json(), get)
    agree(shown(list_, 200), (await keeper.get(f"/{several}", user_id="user-42")).json(), list_)
    has_form_of(shown(update, 200), (await keeper.patch(path, body(update))).json(), update)
    other = await keeper.post(f"/{several}", {"user_id": "user-42", "name": "another"})
    answer = await keeper.post(f"{path}/merge", body(merge, into=other.json()["label_id"]))
    has_form_of(shown(merge, 200), answer.json(), merge)
    has_form_of(shown(unmerge, 200), (await keeper.post(f"{path}/unmerge")).json(), unmerge)


async def test_parts(api: Api) -> None:
    keeper = await api.service(
        "books:write", "labels:read", "parts:write", "wallets:write", "deposits:write", "withdrawals:write"
    )
    await keeper.post("/books", body("create_book"))
    listed = (await keeper.get("/categories", user_id="user-42")).json()["items"]
    labels = {each["system_key"]: each["label_id"] for each in listed}
    wallets = [
        (
            await keeper.post(
                "/wallets", {"user_id": "user-42", "currency": "EUR", "keeping": "mirrored", "name": name}
            )
        ).json()["wallet_id"]
        for name in ("one", "two")
    ]
    category = labels["groceries"]
    quick = await keeper.post("/quick-transactions", body("note_transaction", category_id=category))
    has_form_of(shown("note_transaction", 201), quick.json(), "note_transaction")
    spent = await keeper.move("withdraw", wallets[0], "84.37")
    path = f"/wallets/{wallets[0]}/entries/2/parts"
    example = body("set_entry_parts")
    for part in example["parts"]:
        part["category_id"] = category
    changed = await keeper.send("PUT", path, example)
    has_form_of(shown("set_entry_parts", 200), changed.json(), "set_entry_parts")
    assert spent.json()["wallet_version"] == 2
    has_form_of(shown("get_entry_parts", 200), (await keeper.get(path)).json(), "get_entry_parts")
    found = (await keeper.get("/parts", user_id="user-42")).json()
    has_form_of(shown("list_parts", 200), found, "list_parts")
    undone = await keeper.post(f"/runs/{changed.json()['run_id']}/undo")
    has_form_of(shown("undo_run", 200), undone.json(), "undo_run")
    bulk = body("edit_parts")
    bulk["changes"][0] |= {"wallet_id": wallets[0], "changes": {"category_id": category}}
    has_form_of(shown("edit_parts", 200), (await keeper.post("/parts/bulk", bulk)).json(), "edit_parts")
    await keeper.move("withdraw", wallets[0], "500.00")
    await keeper.move("deposit", wallets[1], "500.00")
    pair = body("create_pair")
    pair["debit"]["wallet_id"], pair["credit"]["wallet_id"] = wallets
    answer = await keeper.post("/pairs", pair)
    has_form_of(shown("create_pair", 201), answer.json(), "create_pair")
    pairs = (await keeper.get("/pairs", user_id="user-42")).json()
    has_form_of(shown("list_pairs", 200), pairs, "list_pairs")


async def test_rules(api: Api) -> None:
    keeper = await api.service("books:write", "labels:read", "rules:write", "wallets:write", "ledger:write")
    await keeper.post("/books", body("create_book"))
    owner = {"user_id": "user-42"}
    listed = (await keeper.get("/categories", limit=100, **owner)).json()["items"]
    category = next(each["label_id"] for each in listed if each["system_key"] == "groceries")
    actions = body("create_rule")["actions"] | {"category_id": category}
    wallet = await keeper.post("/wallets", owner | {"currency": "EUR", "keeping": "mirrored"})
    await keeper.move("withdraw", wallet.json()["wallet_id"], "12.50", description="LIDL")
    made = await keeper.post("/rules", body("create_rule", actions=actions))
    has_form_of(shown("create_rule", 201), made.json(), "create_rule")
    path = f"/rules/{made.json()['rule_id']}"
    has_form_of(shown("get_rule", 200), (await keeper.get(path)).json(), "get_rule")
    changed = await keeper.send("PUT", path, body("replace_rule", actions=actions))
    has_form_of(shown("replace_rule", 200), changed.json(), "replace_rule")
    has_form_of(shown("list_rules", 200), (await keeper.get("/rules", **owner)).json(), "list_rules")
    order = await keeper.post("/rules/order", body("order_rules", rule_ids=[made.json()["rule_id"]]))
    has_form_of(shown("order_rules", 200), order.json(), "order_rules")
    rule = body("test_rule")["rule"] | {"actions": actions}
    tested = await keeper.post("/rules/test", body("test_rule", rule=rule))
    has_form_of(shown("test_rule", 200), tested.json(), "test_rule")
    applied = await keeper.post("/rules/apply", owner)
    has_form_of(shown("apply_rules", 202), applied.json(), "apply_rules")


def test_each_operation_with_an_example_is_shown() -> None:
    """A new operation with JSON is checked here, too."""
    source = Path(__file__).read_text()
    with_json = {
        name
        for name, operation in OPERATIONS.items()
        for status, response in operation["responses"].items()
        if int(status) < 300 and "application/json" in response.get("content", {})
    }
    assert {name for name in with_json if f'"{name}"' not in source} == set()
