"""What operations repeat becomes a component, once."""

from typing import Any

import jsonschema_rs
import pytest
from support.problems import ERRORS

from contract.references import inlined
from wallet_service.core.errors import Forbidden, Unauthorized
from wallet_service.ledger.problems import WalletClosed, WalletFrozen
from wallet_service.platform.web.components import share_components
from wallet_service.platform.web.openapi import problem_schema, problems

Document = dict[str, Any]
LIMIT = {"name": "limit", "in": "query", "schema": {"type": "integer"}}
SMALL_LIMIT = {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 5}}
ETAG = {"description": "The version.", "schema": {"type": "string"}}


def operation(parameters: list[Document], *errors: Any) -> Document:
    refused = {str(status): response for status, response in problems(*errors).items()}
    found = {"description": "Found.", "headers": {"ETag": dict(ETAG)}}
    return {"parameters": [dict(each) for each in parameters], "responses": {"200": found, **refused}}


def document(*operations: Document) -> Document:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "paths": {f"/things/{number}": {"get": each} for number, each in enumerate(operations)},
        "components": {"schemas": {"Problem": problem_schema(ERRORS)}},
    }


@pytest.fixture
def shared() -> Document:
    found = document(
        operation([SMALL_LIMIT], Unauthorized, WalletClosed),
        operation([LIMIT], Unauthorized, WalletClosed, WalletFrozen),
        operation([LIMIT], Unauthorized, Forbidden, WalletClosed, WalletFrozen),
    )
    share_components(found)
    return found


def responses(found: Document, number: int) -> Document:
    return found["paths"][f"/things/{number}"]["get"]["responses"]


def test_a_response_with_one_problem_is_shared_by_the_operations_that_have_it(shared: Document) -> None:
    reference = {"$ref": "#/components/responses/unauthorized"}
    assert [responses(shared, number)["401"] for number in range(3)] == [reference] * 3
    response = shared["components"]["responses"]["unauthorized"]
    assert response["description"] == "`unauthorized`: Unauthorized"
    assert set(response["headers"]) == {"WWW-Authenticate"}
    # Used once, or with other codes in each operation: these stay.
    assert set(shared["components"]["responses"]) == {"unauthorized"}
    assert responses(shared, 2)["403"]["description"].startswith("`forbidden`")


def test_a_response_with_several_problems_lists_them_in_its_operation(shared: Document) -> None:
    response = responses(shared, 1)["409"]
    content = response["content"]["application/problem+json"]
    assert response["description"] == "`wallet_closed`, `wallet_frozen`"
    assert content["schema"]["properties"]["code"]["enum"] == ["wallet_closed", "wallet_frozen"]
    assert content["examples"] == {
        code: {"$ref": f"#/components/examples/{code}"} for code in ("wallet_closed", "wallet_frozen")
    }


def test_every_example_of_a_problem_is_shared_even_if_it_is_used_once(shared: Document) -> None:
    assert list(shared["components"]["examples"]) == [
        "forbidden",
        "unauthorized",
        "wallet_closed",
        "wallet_frozen",
    ]


def test_parameters_that_are_used_more_than_once_are_shared(shared: Document) -> None:
    # The form that most operations have; the other one stays in its operation.
    assert shared["components"]["parameters"] == {"limit": LIMIT}
    found = [each["get"]["parameters"] for each in shared["paths"].values()]
    assert found == [[SMALL_LIMIT], *[[{"$ref": "#/components/parameters/limit"}]] * 2]


def test_headers_stay_because_postman_s_import_does_not_resolve_them(shared: Document) -> None:
    assert all(responses(shared, number)["200"]["headers"] == {"ETag": ETAG} for number in range(3))
    assert "headers" not in shared["components"]


def test_nothing_is_lost(shared: Document) -> None:
    whole = document(
        operation([SMALL_LIMIT], Unauthorized, WalletClosed),
        operation([LIMIT], Unauthorized, WalletClosed, WalletFrozen),
        operation([LIMIT], Unauthorized, Forbidden, WalletClosed, WalletFrozen),
    )
    assert inlined(shared)["paths"] == whole["paths"]
    again = inlined(shared) | {"components": {"schemas": shared["components"]["schemas"]}}
    share_components(again)
    assert again == shared


def test_a_component_s_name_has_only_the_characters_that_it_may_have() -> None:
    filtered = {"name": "filter[currency]", "in": "query", "schema": {"type": "string"}}
    found = document(operation([filtered]), operation([filtered]))
    share_components(found)
    assert found["components"]["parameters"] == {"filter_currency_": filtered}
    jsonschema_rs.validate(
        {"propertyNames": {"pattern": r"^[a-zA-Z0-9._-]+$"}}, found["components"]["parameters"]
    )
