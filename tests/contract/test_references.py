"""References are resolved where they stand."""

import copy
from typing import Any

import pytest

from contract.document import current
from contract.references import inlined, referenced

DOCUMENT: dict[str, Any] = {
    "paths": {
        "/things": {
            "get": {
                "parameters": [{"$ref": "#/components/parameters/limit"}],
                "responses": {
                    "404": {"$ref": "#/components/responses/gone", "description": "No such thing."}
                },
            }
        }
    },
    "components": {
        "parameters": {"limit": {"in": "query", "name": "limit"}},
        "headers": {"ETag": {"schema": {"$ref": "#/components/schemas/Thing"}}},
        "responses": {
            "gone": {"description": "Gone.", "headers": {"ETag": {"$ref": "#/components/headers/ETag"}}}
        },
        "schemas": {"Thing": {"properties": {"within": {"$ref": "#/components/schemas/Thing"}}}},
    },
}


def test_parts_stand_where_they_were_referenced_and_schemas_stay_references() -> None:
    before = copy.deepcopy(DOCUMENT)
    operation = inlined(DOCUMENT)["paths"]["/things"]["get"]
    assert operation == {
        "parameters": [{"in": "query", "name": "limit"}],
        "responses": {
            "404": {
                "description": "No such thing.",
                "headers": {"ETag": {"schema": {"$ref": "#/components/schemas/Thing"}}},
            }
        },
    }
    assert inlined(DOCUMENT)["components"]["schemas"] == DOCUMENT["components"]["schemas"]
    assert before == DOCUMENT


@pytest.mark.parametrize("reference", ["#/components/responses/none", "#/components/links/gone"])
def test_a_reference_to_nothing_is_an_error(reference: str) -> None:
    with pytest.raises(KeyError, match=f"the document has no {reference}"):
        referenced(reference, DOCUMENT)


def test_the_service_s_document_needs_no_reference_but_those_of_schemas() -> None:
    document = str(inlined(current())["paths"])
    assert "'$ref': '#/components/schemas/" in document
    assert document.count("'$ref'") == document.count("'$ref': '#/components/schemas/")
