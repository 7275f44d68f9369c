"""openapi.json in the clone is what the application says of itself, and it says what a reader needs."""

import re
from collections.abc import Iterator
from typing import Any

from support.api import Api

from contract.breaking import breaking_changes
from contract.document import OPENAPI, committed, current, text
from contract.references import inlined
from wallet_service import __version__

LARGEST_OPERATION = 9_500
"""In bytes, as the committed file has it."""


def test_the_committed_document_is_the_application_s() -> None:
    document = current()
    changes = breaking_changes(committed(), document)
    told = "\n".join(["", *(f"breaking: {change}" for change in changes)]) or "none breaks a client"
    assert OPENAPI.read_text(encoding="utf-8") == text(document), (
        f"openapi.json is another than the application's; scripts/openapi writes it. Changes: {told}"
    )


def test_an_operation_is_small_because_what_repeats_is_shared() -> None:
    sizes = {
        f"{method.upper()} {path}": len(text(operation).encode())
        for path, methods in committed()["paths"].items()
        for method, operation in methods.items()
    }
    assert {name: size for name, size in sizes.items() if size > LARGEST_OPERATION} == {}


VERBS = {
    *(
        "create",
        "note",
        "edit",
        "undo",
        "order",
        "replace",
        "test",
        "apply",
        "get",
        "list",
        "update",
        "close",
        "import",
        "check",
        "retry",
        "cancel",
        "capture",
        "extend",
        "increase",
        "stream",
        "rotate",
        "ping",
        "replay",
        "explain",
        "void",
        "report",
        "add",
        "end",
        "receive",
    ),
    *(
        "deposit",
        "withdraw",
        "consume",
        "reward",
        "charge",
        "transfer",
        "refund",
        "post",
        "adjust",
        "set",
        "upload",
        "download",
        "delete",
        "merge",
        "unmerge",
        "convert",
        "refresh",
    ),
}
"""The first words of operation ids. A new room adds what it does."""


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in inlined(current())["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_an_operation_has_a_chosen_id_that_is_a_verb_and_a_noun() -> None:
    """Generated clients name their functions and types by it."""
    ids = {name: operation["operationId"] for name, operation in operations()}
    assert len(set(ids.values())) == len(ids)
    for name, chosen in ids.items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", chosen), f"{name}: {chosen}"
        assert chosen.partition("_")[0] in VERBS, f"{name}: {chosen}"
        assert re.search(r"_(get|put|post|patch|delete)$", chosen) is None, f"{name}: {chosen} is generated"


def undescribed(schema: Any, place: str) -> Iterator[str]:
    """Members without a description, at any depth."""
    if isinstance(schema, list):
        for each in schema:
            yield from undescribed(each, place)
    elif isinstance(schema, dict):
        # Beside a reference, properties only restrict those of the schema that is referenced.
        for name, member in ({} if "$ref" in schema else schema.get("properties", {})).items():
            if not member.get("description"):
                yield f"{place}.{name}"
            yield from undescribed(member, f"{place}.{name}")
        for name, part in schema.items():
            if name not in {"properties", "examples", "example", "required"}:
                yield from undescribed(part, place)


def test_every_member_and_parameter_is_described() -> None:
    missing = [
        each
        for name, schema in current()["components"]["schemas"].items()
        for each in undescribed(schema, name)
    ]
    for name, operation in operations():
        missing += [
            f"{name} {each['name']}"
            for each in operation.get("parameters", ())
            if not each.get("description")
        ]
        missing += undescribed(operation.get("requestBody"), name)
        missing += undescribed(operation["responses"], name)
    assert missing == []


def test_tags_are_in_the_order_of_their_use_with_an_introduction() -> None:
    tags = {each["name"]: each["description"] for each in current()["tags"]}
    used = list(dict.fromkeys(operation["tags"][0] for _, operation in operations()))
    assert list(tags) == used
    assert list(tags)[:2] == ["wallets", "transactions"]
    assert list(tags)[-1] == "health"
    assert all(text.endswith(".") for text in tags.values())


async def test_its_version_is_the_one_that_health_reports(api: Api) -> None:
    health = (await api.http.get("/health")).json()
    assert health["version"] == committed()["info"]["version"] == __version__
