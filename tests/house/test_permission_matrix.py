"""Every route with every kind of caller. The rows come from the routes and from the permissions that rooms declare.

A new route appears here by itself. It fails until it has a body, if it takes one, and until it is clear whose wallet
it is about: by its path, or by its body.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from support.api import Api, Client, new_user, open_api
from support.settings import make_settings

from contract.tables import permissions_of
from wallet_service.core.identifiers import new_id
from wallet_service.core.room import OperationType, Permission
from wallet_service.delivery.webhooks.repository import NewSecret, SealedSecret, WebhookRepository
from wallet_service.platform.auth.keys import create_key
from wallet_service.platform.auth.permissions import ADMIN, Bundles
from wallet_service.platform.auth.restrictions import Restriction
from wallet_service.rooms import ROOMS
from wallet_service.runtime.application import create_app

EXPAND = Bundles(ROOMS).expand
PERMISSIONS = {each.name: each for room in ROOMS for each in room.permissions}
OF_ROOMS = {
    "grant": {"amount": "1", "source": "promotion"},
    "hold": {"amount": "1"},
    "convert": {"amount": "1"},
}
"""Operations of a batch that rooms decide, one for each permission, without their wallet."""
TYPES: dict[str, OperationType] = {
    each.permission: each
    for room in ROOMS
    for each in room.operation_types
    if each.form != "room" or each.name in OF_ROOMS
}
APP = create_app(make_settings(), "postgresql://unused@127.0.0.1:1/none")
ROUTES = {
    f"{' '.join(each.methods or ())} {each.path}": each for each in APP.routes if isinstance(each, APIRoute)
}

OF_AN_OWNER = {
    *("wallet_id", "user_id", "transaction_id", "grant_id", "hold_id", "usage_id", "top_up_id"),
    *("book_id", "label_id", "run_id", "pair_id", "rule_id", "budget_id"),
}
"""Members of a path that name whose wallet a route is about."""


@dataclass(frozen=True)
class Thing:
    """A mirrored wallet of a user, in which the user may write, with its opening deposit; and one with a grant."""

    user_id: str
    wallet_id: str
    second_id: str
    transaction_id: str
    granted_id: str


def details(type_: OperationType, thing: Thing) -> dict[str, Any]:
    """The members of an operation of this type on a thing, without its wallet."""
    match type_.form:
        case "transfer":
            return {"amount": "1", "to_wallet_id": thing.second_id}
        case "refund":
            return {"amount": "1"}
        case "adjustment":
            return {"amount": "1", "direction": "credit", "reason": "counted"}
        case "entries":
            entry = {"wallet_id": thing.wallet_id, "amount": "1", "counter_account": "mirrored:fx:EUR-USD"}
            return {"entries": [entry | {"direction": "credit"}]}
        case "movement":
            return {"amount": "1"}


def operation(type_: OperationType, thing: Thing) -> dict[str, Any]:
    """The same as an operation of a batch."""
    named: dict[str, Any] = {"type": type_.name}
    if type_.name == "convert":
        named["to_wallet_id"] = thing.second_id
    if type_.name in OF_ROOMS:
        return named | OF_ROOMS[type_.name] | {"wallet_id": thing.granted_id}
    if type_.form == "refund":
        named["original_transaction_id"] = thing.transaction_id
    elif type_.form != "entries":
        named["wallet_id"] = thing.wallet_id
    return named | details(type_, thing)


def body_of(route: APIRoute, permission: Permission | None, thing: Thing) -> dict[str, Any] | None:
    """A body that is good on a thing."""
    if route.body_field is None:
        return None
    if route.name == "import_file":
        return None
    if route.name in BODIES:
        return BODIES[route.name]
    assert permission is not None
    if route.name == "create_wallet":
        return {"user_id": thing.user_id, "currency": "EUR", "keeping": "mirrored", "name": "another"}
    type_ = TYPES[permission.name]
    if route.name == "batch":
        return {"operations": [operation(type_, thing)]}
    return ({"type": type_.name} if type_.form == "entries" else {}) | details(type_, thing)


TOP_UP_RULE = {"threshold": "0", "amount": "1", "payment_method": "pm-1"}
BODIES: Mapping[str, dict[str, Any]] = {
    "update_wallet": {"metadata": {"a": "b"}},
    "set_test_clock": {"advance_s": 1},
    "consume_credits": {"amount": "1"},
    "create_webhook": {"url": "https://8.8.8.8/"},
    "update_webhook": {"description": "b"},
    "rotate_webhook_secret": {},
    "replay_webhook": {"dead": True},
    "set_limits": {"limits": []},
    "set_top_up_rule": TOP_UP_RULE,
    "create_top_up": {"amount": "1", "payment_method": "pm-1"},
    "create_wallet_grant": {"amount": "1", "source": "promotion"},
    "void_wallet_grant": {},
    "create_alert": {"amount": "1"},
    "update_alert": {"name": "b"},
    "create_grant_schedule": {"amount": "1", "source": "plan", "day_of_month": 1},
    "update_grant_schedule": {"amount": "2"},
    "create_hold": {"amount": "1"},
    "capture_hold": {},
    "void_hold": {},
    "extend_hold": {"expires_in_s": 7200},
    "increase_hold": {"amount": "1"},
    "create_meter": {"meter": "matrix"},
    "end_rate_card": {},
    "update_book": {"month_start_day": 2},
    "set_book_wallet": {"purpose": "savings"},
    "set_rates": {"rates": [{"base": "XPF", "quote": "XAF", "day": "2026-01-02", "rate": "1"}]},
    "create_quote": {"from": "XPF", "to": "XAF", "amount": "1"},
    "set_budget": {"name": "b", "amount": "1", "period": "monthly", "start_date": "2026-01-01"},
    **{f"update_{one}": {"icon": "star"} for one in ("category", "payee", "tag")},
}
"""Bodies of routes that don't post an operation on one of the things."""

OF_A_RULE = {"get_top_up_rule", "delete_top_up_rule"}
"""Routes of a wallet that has a rule for top-ups."""

LABELS = {"categories": "category", "payees": "payee", "tags": "tag"}
"""The kinds of labels of a book, by their paths."""

PARTS_RULE: dict[str, Any] = {
    "name": "one",
    "conditions": [{"field": "note", "op": "is", "value": "x"}],
    "actions": {"note": "y"},
}
OF_BUDGETS = {"create_budget", "list_budgets", "get_budget_progress"}
"""Routes of the budgets of a book that its owner names."""

IN_THE_BODY = {
    *OF_BUDGETS,
    *(
        "create_wallet",
        "batch",
        "post_entries",
        "report_usage",
        "report_usage_batch",
        "create_book",
        "set_rates",
    ),
    *("list_parts", "edit_parts", "list_pairs", "create_pair", "note_transaction"),
    *("list_rules", "create_rule", "order_rules", "test_rule", "apply_rules"),
    *(
        f"{verb}_{name}"
        for several, one in LABELS.items()
        for verb, name in (("create", one), ("list", several))
    ),
}
"""Routes whose body, or query, says whose wallets they are about."""


SHOWN_IN_PART = {"list_events", "stream_events", "list_books"}
"""Routes that show each caller what it may see of all owners; the room's own tests check which part that is."""

OF_NO_OWNER = {"list_rates", "convert_amount", "create_quote"}
"""Routes about the service's exchange rates, unless a book is named; the room's own tests name one."""


def is_of_an_owner(route: APIRoute) -> bool:
    return route.name in IN_THE_BODY or any(f"{{{name}}}" in route.path for name in OF_AN_OWNER)


def is_of_a_book(route: APIRoute) -> bool:
    """Whether a route is about a book, which has all wallets of its owner: a key of some wallets sees none."""
    own = (
        "books",
        "parts",
        "pairs",
        "runs",
        "rules",
        "budgets",
        "quick-transactions",
        "wallets/{wallet_id}/entries",
    )
    return route.path.startswith(tuple(f"/api/v1/{name}" for name in (*own, *LABELS)))


@dataclass(frozen=True)
class Matrix:
    """Sends requests of one route."""

    api: Api

    async def thing(self) -> Thing:
        """A new one."""
        user = new_user()
        record: Mapping[str, Any] = {"user_id": user, "currency": "EUR", "keeping": "mirrored"}
        wallet = await self.api.admin.wallet("5", **record, name="one")
        second = await self.api.admin.wallet(**record, name="two")
        page = (await self.api.admin.get(f"/wallets/{wallet['wallet_id']}/transactions")).json()
        granted = await self.api.admin.wallet(user_id=user, currency="CREDIT")
        return Thing(
            user,
            wallet["wallet_id"],
            second["wallet_id"],
            page["items"][0]["transaction_id"],
            granted["wallet_id"],
        )

    async def grant_of(self, thing: Thing) -> str:
        """A new grant of a thing's user."""
        path = f"/wallets/{thing.granted_id}/grants"
        return (await self.api.admin.post(path, {"amount": "1", "source": "promotion"})).json()["grant_id"]

    async def alert_of(self, caller: Client, thing: Thing) -> str:
        """A new alert of a thing's wallet: of its owner, or else of the operator."""
        creator = self.api.admin if caller.user_id is None else self.api.user(thing.user_id)
        made = await creator.post(f"/wallets/{thing.wallet_id}/alerts", {"amount": "1"})
        return made.json()["alert_id"]

    async def schedule_of(self, thing: Thing) -> str:
        """A new schedule of a thing's user."""
        path = f"/wallets/{thing.granted_id}/grant-schedules"
        body = BODIES["create_grant_schedule"]
        return (await self.api.admin.post(path, body)).json()["schedule_id"]

    async def hold_of(self, caller: Client, thing: Thing) -> str:
        """A new hold of a thing's user, placed by a token of the user if it is the caller."""
        await self.api.admin.move("deposit", thing.granted_id, "2")
        owner = caller if caller.user_id == thing.user_id else self.api.admin
        return (await owner.post(f"/wallets/{thing.granted_id}/holds", {"amount": "1"})).json()["hold_id"]

    async def meter(self) -> tuple[str, str]:
        """A new meter and the id of its rate card."""
        name, admin = f"m{new_id()}", self.api.admin
        await admin.post("/meters", {"meter": name})
        card = {"meter": name, "currency": "CREDIT", "prices": [{"model": "per_unit", "unit_price": "1"}]}
        return name, (await admin.post("/rate-cards", card)).json()["rate_card_id"]

    def usage(self, meter: str, thing: Thing) -> dict[str, Any]:
        """An event of a thing's user that costs nothing."""
        return {"event_id": new_id(), "meter": meter, "wallet_id": thing.granted_id, "quantity": "0"}

    async def usage_of(self, meter: str, thing: Thing) -> str:
        """A new event of a thing's user."""
        return (await self.api.admin.post("/usage", self.usage(meter, thing))).json()["usage_id"]

    async def ruled(self, thing: Thing) -> str:
        """The wallet of a thing's user, with a rule for top-ups."""
        path = f"/wallets/{thing.granted_id}/top-up-rule"
        assert (await self.api.admin.send("PUT", path, TOP_UP_RULE)).status_code == 200
        return thing.granted_id

    async def wallet_of(self, route: APIRoute, thing: Thing) -> str:
        """The wallet of a path."""
        if route.name in OF_A_RULE:
            return await self.ruled(thing)
        return thing.granted_id if "grant-schedules" in route.path else thing.wallet_id

    async def top_up_of(self, thing: Thing) -> str:
        """The top-up of a thing's user: a wallet has one under way, and no worker advances it here."""
        path = f"/wallets/{thing.granted_id}/top-ups"
        return (await self.api.admin.post(path, BODIES["create_top_up"])).json()["top_up_id"]

    async def book_of(self, thing: Thing) -> str:
        """The book of a thing's user."""
        answer = await self.api.admin.post("/books", {"user_id": thing.user_id, "base_currency": "EUR"})
        return answer.json()["book_id"]

    async def label_of(self, thing: Thing, several: str) -> str:
        """A new category, payee or tag in the book of a thing's user."""
        await self.book_of(thing)
        answer = await self.api.admin.post(f"/{several}", await self.new_label(thing, several))
        return answer.json()["label_id"]

    def new_budget(self, thing: Thing) -> dict[str, Any]:
        """The body that creates a budget."""
        return {"user_id": thing.user_id, **BODIES["set_budget"]}

    async def budget_of(self, thing: Thing) -> str:
        """A new budget in the book of a thing's user."""
        await self.book_of(thing)
        return (await self.api.admin.post("/budgets", self.new_budget(thing))).json()["budget_id"]

    async def new_label(self, thing: Thing, several: str) -> dict[str, Any]:
        """The body that creates one."""
        body: dict[str, Any] = {"user_id": thing.user_id, "name": new_id()}
        if several == "categories":
            listed = await self.api.admin.get("/categories", user_id=thing.user_id)
            body["parent_id"] = listed.json()["items"][0]["label_id"]
        return body

    async def body_of_a_book(self, route: APIRoute, thing: Thing) -> dict[str, Any] | None:
        """A body that is good on the book of a thing, where it is not always the same."""
        owner = {"user_id": thing.user_id}
        several = route.path.split("/")[3]
        if route.name == "create_book":
            return owner | {"base_currency": "EUR"}
        if route.path.endswith("/merge"):
            return {"into": await self.label_of(thing, several)}
        await self.book_of(thing)
        if several in LABELS and route.name.startswith("create_"):
            return await self.new_label(thing, several)
        named = [{"wallet_id": each, "wallet_version": 1} for each in (thing.wallet_id, thing.second_id)]
        if route.name == "create_pair":
            moved = (await self.api.admin.move("withdraw", thing.second_id, "1")).json()
            named[1]["wallet_version"] = moved["wallet_version"]
        rules = (await self.api.admin.get("/rules", **owner)).json()["items"]
        return {
            "create_budget": self.new_budget(thing),
            "create_rule": owner | PARTS_RULE,
            "replace_rule": PARTS_RULE,
            "order_rules": owner | {"rule_ids": [each["rule_id"] for each in rules]},
            "test_rule": owner | {"rule": PARTS_RULE},
            "apply_rules": owner,
            "edit_parts": owner | {"changes": [named[0]]},
            "create_pair": owner | {"debit": named[1], "credit": named[0]},
            "set_entry_parts": {"parts": [{}]},
            "note_transaction": owner | {"type": "income", "amount": "1"},
        }.get(route.name, BODIES.get(route.name))

    async def rule_of(self, thing: Thing) -> str:
        """A rule in the book of a thing's user."""
        await self.book_of(thing)
        return (await self.api.admin.post("/rules", {"user_id": thing.user_id} | PARTS_RULE)).json()[
            "rule_id"
        ]

    async def run_of(self, thing: Thing) -> str:
        """A change of parts in the book of a thing's user."""
        await self.book_of(thing)
        path = f"/wallets/{thing.wallet_id}/entries/1/parts"
        return (await self.api.admin.send("PUT", path, {"parts": [{"note": new_id()}]})).json()["run_id"]

    async def pair_of(self, thing: Thing) -> str:
        """A pair in the book of a thing's user."""
        await self.book_of(thing)
        moved = (await self.api.admin.move("withdraw", thing.second_id, "1")).json()
        sides = {"debit": {"wallet_id": thing.second_id, "wallet_version": moved["wallet_version"]}}
        sides["credit"] = {"wallet_id": thing.wallet_id, "wallet_version": 1}
        return (await self.api.admin.post("/pairs", sides | {"user_id": thing.user_id})).json()["pair_id"]

    async def file_of(self, caller: Client) -> str:
        """A new file of a user, or else of the client of all keys."""
        uploader = caller if caller.user_id is not None else await self.key("files:write")
        return (await self.upload(uploader)).json()["file_id"]

    async def job_of(self, caller: Client) -> str:
        """A new job of a user, or else of the service. It is due in the far future, so no worker takes it."""
        creator = (
            {"client_id": f"user:|{caller.user_id}", "user_id": caller.user_id} if caller.user_id else None
        )
        document = await self.api.app.state.jobs.repository.enqueue(
            new_id(), "delete_finished_jobs", {}, creator=creator, due_at=datetime(2999, 1, 1, tzinfo=UTC)
        )
        return json.loads(document)["job_id"]

    async def webhook(self) -> str:
        """A new webhook endpoint of the client of all keys, which gets nothing. Its secret does not open."""
        endpoint_id, sealed = new_id(), SealedSecret(new_id(), "1.none.AAAA")
        endpoint = {"url": "https://8.8.8.8/", "description": "", "event_types": ["job.dead"]}
        repository = WebhookRepository(self.api.app.state.database)
        await repository.create(
            endpoint_id, "matrix", None, "00", endpoint, NewSecret(sealed, "none"), 10_000
        )
        return endpoint_id

    def rated_body(self, route: APIRoute, meter: str, thing: Thing) -> dict[str, Any] | None:
        """The body of a route that needs a meter."""
        prices = {"prices": [{"model": "per_unit", "unit_price": "1"}]}
        return {
            "create_rate_card": prices | {"meter": meter, "currency": "EUR"},
            "add_rate_version": prices,
            "report_usage": self.usage(meter, thing),
            "report_usage_batch": {"events": [self.usage(meter, thing)]},
        }.get(route.name)

    async def upload(self, caller: Client) -> httpx.Response:
        return await caller.send("POST", "/files?name=a.txt", b"a", headers={"Content-Type": "text/plain"})

    async def key(self, *scopes: str, restriction: Restriction | None = None) -> Client:
        """A client with a key."""
        key = await create_key(
            self.api.app.state.database, "matrix", scopes or ["none"], restriction=restriction
        )
        return Client(self.api.app, self.api.http, key)

    async def body(
        self, route: APIRoute, permission: Permission | None, thing: Thing, meter: str
    ) -> dict[str, Any] | None:
        """A body that is good on a thing."""
        if route.path.endswith("/convert") and "POST" in (route.methods or ()):
            return {"to_wallet_id": thing.second_id, "amount": "1"}
        if route.name == "set_rates" and permission is not None and permission.name == "exchange_rates:write":
            return {**BODIES["set_rates"], "book_id": await self.book_of(thing)}
        if is_of_a_book(route):
            return await self.body_of_a_book(route, thing)
        return self.rated_body(route, meter, thing) or body_of(route, permission, thing)

    async def send(
        self, caller: Client, route: APIRoute, permission: Permission | None, thing: Thing
    ) -> tuple[int, dict[str, Any]]:
        """The status and problem of a request; of a batch with one operation, those of the operation."""
        rated = "rate-card" in route.path or "meter" in route.path or "/usage" in route.path
        meter, card = await self.meter() if rated else ("", "")
        path = route.path.format(
            meter=meter,
            rate_card_id=card,
            version=1,
            usage_id=await self.usage_of(meter, thing) if "{usage_id}" in route.path else None,
            wallet_id=await self.wallet_of(route, thing),
            user_id=thing.user_id,
            transaction_id=thing.transaction_id,
            file_id=await self.file_of(caller) if "{file_id}" in route.path else None,
            job_id=await self.job_of(caller) if "{job_id}" in route.path else None,
            endpoint_id=await self.webhook() if "{endpoint_id}" in route.path else None,
            hold_id=await self.hold_of(caller, thing) if "{hold_id}" in route.path else None,
            grant_id=await self.grant_of(thing) if "{grant_id}" in route.path else None,
            alert_id=await self.alert_of(caller, thing) if "{alert_id}" in route.path else None,
            schedule_id=await self.schedule_of(thing) if "{schedule_id}" in route.path else None,
            top_up_id=await self.top_up_of(thing) if "{top_up_id}" in route.path else None,
            book_id=await self.book_of(thing) if "{book_id}" in route.path else None,
            label_id=await self.label_of(thing, route.path.split("/")[3])
            if "{label_id}" in route.path
            else None,
            budget_id=await self.budget_of(thing) if "{budget_id}" in route.path else None,
            number=1,
            wallet_version=1,
            run_id=await self.run_of(thing) if "{run_id}" in route.path else None,
            rule_id=await self.rule_of(thing) if "{rule_id}" in route.path else None,
            pair_id=await self.pair_of(thing) if "{pair_id}" in route.path else None,
        )
        if route.path.endswith("/entries/{wallet_version}/parts"):
            await self.book_of(thing)
        body = await self.body(route, permission, thing, meter)
        (method,) = route.methods or ()
        if route.name == "import_file":
            body = {"file_id": await self.file_of(caller)}  # which is no CSV
        if route.name == "upload_file":
            answer = await self.upload(caller)
        elif (
            route.name == "stream_events"
        ):  # it would not end: a caller that may read gets the refusal of the type
            answer = await caller.get("/events/stream", types="none")
        elif route.name in {f"list_{several}" for several in (*LABELS, "parts", "pairs", "rules")} | (
            OF_BUDGETS - {"create_budget"}
        ):
            await self.book_of(thing)
            answer = await caller.get(path.removeprefix("/api/v1"), user_id=thing.user_id)
        elif route.name == "convert_amount":
            answer = await caller.get("/fx/convert", **{"from": "EUR", "to": "USD", "amount": "1"})
        elif not path.startswith("/api/v1"):
            answer = await self.api.http.request(method, path, headers=caller_headers(caller))
        else:
            answer = await caller.send(method, path.removeprefix("/api/v1"), body)
        status, problem = outcome(answer)
        if route.name == "note_transaction" and problem.get("scope") == "deposits:write":
            return (
                200,
                problem,
            )  # the room let it pass; that of the operation is checked in the room's own tests
        return status, problem


def caller_headers(caller: Client) -> dict[str, str]:
    return dict(caller._headers)  # a path outside of /api/v1


def outcome(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
    is_json = (
        "json" in answer.headers.get("Content-Type", "") and "ndjson" not in answer.headers["Content-Type"]
    )
    document: Any = answer.json() if is_json and answer.content else {}
    results = document.get("results") if answer.status_code == 200 else None
    if results and results[0]["status"] == "refused":
        problem = results[0]["problem"]
        return problem["status"], problem
    return answer.status_code, document


@pytest.fixture
async def matrix(service_dsn: str) -> AsyncIterator[Matrix]:
    """With an application that takes more requests without a key than one address may send."""
    async with open_api(service_dsn, rate_limit_address_tokens=0) as opened:
        yield Matrix(opened)


def passes(status: int) -> bool:
    """Whether the caller may; what it asks for may be refused for another reason."""
    return status not in {401, 403, 404}


def lacking(permission: Permission) -> list[str]:
    """All permissions that do not include this one."""
    return sorted(
        name for name in PERMISSIONS if permission.name not in EXPAND([name]) and name != ADMIN.name
    )


def giving(permission: Permission) -> list[str]:
    """All permissions that include this one, and ``admin``."""
    return [name for name in PERMISSIONS if permission.name in EXPAND([name]) or name == ADMIN.name]


@pytest.mark.parametrize("name", ROUTES)
async def test_every_route_with_every_caller(matrix: Matrix, name: str) -> None:
    route = ROUTES[name]
    permissions = permissions_of(route)
    if permissions is None and name == SIGNED:
        status, _ = await matrix.send(matrix.api.admin, route, None, NOTHING)
        assert status == 401
        return
    if permissions is None:
        assert route.path in OPEN
        status, _ = await matrix.send(Client(matrix.api.app, matrix.api.http, ""), route, None, NOTHING)
        assert status in {200, 204, 503}
        return
    found: dict[str, int] = {}
    wrong: dict[str, int] = {}

    def expect(caller: str, status: int, right: bool) -> None:  # a row of the matrix
        found[caller] = status
        if not right:
            wrong[caller] = status

    assert permissions or name in FOR_EVERY_KEY
    for permission in permissions or [None]:
        await _keys(matrix, route, permission, expect, alone=len(permissions) == 1)
        await _restricted(matrix, route, permission, expect)
        await _users(matrix, route, permission, expect)
    assert not wrong, f"{name}: {wrong} of {found}"


OPEN = {"/health/live", "/health/ready", "/health"}
"""Routes without a key."""

SIGNED = "POST /api/v1/payments/events"
"""A route with a signature in place of a key; the room's own tests check it."""

FOR_EVERY_KEY = {"GET /api/v1/currencies", "GET /api/v1/events/types"}
"""Routes for every valid caller, whatever its permissions."""

NOTHING = Thing("", "", "", "", "")


async def _keys(
    matrix: Matrix, route: APIRoute, permission: Permission | None, expect: Any, *, alone: bool
) -> None:
    thing = await matrix.thing()
    for credentials in ("", "wsk_" + "0" * 32 + "_" + "A" * 43):
        status, _ = await matrix.send(
            Client(matrix.api.app, matrix.api.http, credentials), route, permission, thing
        )
        expect(f"no key {credentials}", status, status == 401)
    if permission is None:
        status, _ = await matrix.send(await matrix.key(), route, permission, thing)
        expect("any key", status, passes(status))
        return
    status, refusal = await matrix.send(await matrix.key(*lacking(permission)), route, permission, thing)
    named = refusal.get("scope") == permission.name or not alone
    expect(f"without {permission.name}", status, status == 403 and named)
    for scope in giving(permission):
        key = await matrix.key(scope)
        status, _ = await matrix.send(key, route, permission, await matrix.thing())
        expect(f"with {scope}", status, passes(status) or (status == 404 and route.name in NOT_FOUND_HERE))


NOT_FOUND_HERE = {"read_test_clock", "set_test_clock", "get_webhook_delivery"}
"""404 unless ``WALLET_TEST_CLOCK`` is set, or until an event was delivered to the endpoint."""


async def _restricted(matrix: Matrix, route: APIRoute, permission: Permission | None, expect: Any) -> None:
    if permission is None or permission == ADMIN:
        return  # nothing of an owner, and no key with admin is restricted
    own, other = await matrix.thing(), await matrix.thing()
    of_user = await matrix.key(permission.name, restriction=Restriction(user_id=own.user_id))
    wallets = frozenset({own.wallet_id, own.second_id, own.granted_id})
    of_wallets = await matrix.key(permission.name, restriction=Restriction(wallet_ids=wallets))
    foreign = await matrix.key(permission.name, restriction=Restriction(organization_id="org-of-others"))
    if permission.spans_wallets:
        for key in (of_user, of_wallets, foreign):
            status, _ = await matrix.send(key, route, permission, own)
            expect("restricted", status, status == 403)
        return
    if route.name in SHOWN_IN_PART | OF_NO_OWNER:
        for key in (of_user, of_wallets, foreign):
            status, _ = await matrix.send(key, route, permission, own)
            expect("restricted", status, passes(status))
        return
    assert is_of_an_owner(route), (
        "declare whose wallets the route is about: Permission.spans_wallets, or IN_THE_BODY"
    )
    status, _ = await matrix.send(of_user, route, permission, other)
    expect("of a user, other", status, status in {403, 404})
    if "{user_id}" not in route.path:  # a list of a user's wallets has none of them
        for caller, key in {"of wallets": of_wallets, "of an organization": foreign}.items():
            status, _ = await matrix.send(key, route, permission, other)
            expect(f"{caller}, other", status, status in {403, 404})
        status, _ = await matrix.send(foreign, route, permission, own)
        expect("of an organization, own", status, status in {403, 404})
        status, _ = await matrix.send(of_wallets, route, permission, own)
        refused = route.name in {"create_wallet", "set_rates"} or is_of_a_book(route)
        expect("of wallets, own", status, passes(status) != refused)
    status, _ = await matrix.send(of_user, route, permission, own)
    expect("of a user, own", status, passes(status))


async def _users(matrix: Matrix, route: APIRoute, permission: Permission | None, expect: Any) -> None:
    own, other = await matrix.thing(), await matrix.thing()
    user = matrix.api.user(own.user_id)
    status, _ = await matrix.send(user, route, permission, own)
    allowed = permission is None or permission.is_users
    expect("a user, own", status, passes(status) if allowed else status == 403)
    if is_of_an_owner(route):
        status, _ = await matrix.send(user, route, permission, other)
        expect("a user, other", status, status in {403, 404})


def test_what_is_no_route_of_a_room_is_public_on_purpose() -> None:
    others = {getattr(each, "path", "") for each in APP.routes if not isinstance(each, APIRoute)}
    assert others == {"/", "/openapi.json", "/docs", "/docs/assets"}


def test_every_permission_is_needed_by_a_route_or_a_rule() -> None:
    needed = {each.name for route in ROUTES.values() for each in permissions_of(route) or ()}
    assert set(PERMISSIONS) - needed == {"transactions:write", "credit_limits:write"}


def test_every_type_of_operation_needs_a_declared_permission() -> None:
    types = [each for room in ROOMS for each in room.operation_types]
    assert {each.permission for each in types} <= set(PERMISSIONS)
    # Others are decided by a room, which has permissions of its own.
    moves = {each.permission for each in types if each.form != "room"}
    assert moves <= EXPAND(["transactions:write"])


def test_permissions_are_named_by_thing_and_kind_and_include_only_others_that_exist() -> None:
    for permission in PERMISSIONS.values():
        thing, _, kind = permission.name.partition(":")
        assert permission == ADMIN or (thing.replace("_", "").isalpha() and kind in {"read", "write"})
        assert set(permission.includes) <= set(PERMISSIONS) - {permission.name, ADMIN.name}
