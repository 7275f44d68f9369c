"""The stand-in says what the contracts say, and the clients ask for what is in them."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import yaml
from support import stand_in as module
from support.stand_in import CONTRACTS, StandIn
from support.upstreams import ListedInstances, account_client

from wallet_service.platform.upstreams.accounts import AccountClient
from wallet_service.platform.upstreams.organizations import OrganizationClient
from wallet_service.platform.upstreams.payments import PaymentClient, PaymentRefused

DOCUMENTS = {file.stem: yaml.safe_load(file.read_text()) for file in sorted(CONTRACTS.glob("*.yaml"))}
OPERATIONS = [
    (name, path, method)
    for name, document in DOCUMENTS.items()
    for path, methods in document["paths"].items()
    for method in methods
]


def schema(name: str, path: str, method: str, status: int) -> dict[str, Any]:
    document = DOCUMENTS[name]
    content = document["paths"][path][method]["responses"][str(status)]["content"]["application/json"]
    return {**content["schema"], "components": document["components"]}


def test_the_contracts_are_the_endpoints_that_were_promised() -> None:
    assert [(path, method) for _, path, method in OPERATIONS] == [
        ("/api/v1/accounts/{user_id}", "get"),
        ("/api/v1/organizations/{organization_id}", "get"),
        ("/api/v1/organizations/{organization_id}/members/{user_id}", "get"),
        ("/api/v1/payments", "post"),
        ("/api/v1/payments/{payment_id}", "get"),
    ]


@pytest.mark.parametrize(("name", "path", "method"), OPERATIONS)
async def test_its_answers_are_those_of_the_contract(
    upstreams: StandIn, name: str, path: str, method: str
) -> None:
    body = {"user_id": "ann", "amount": "1", "currency": "USD"}
    async with httpx.AsyncClient(base_url=upstreams.url) as http:
        made = await http.post("/api/v1/payments", json=body, headers={"Idempotency-Key": "k"})
        there = {"user_id": "ann", "organization_id": "org", "payment_id": made.json()["payment_id"]}
        nowhere = dict.fromkeys(there, "unknown")
        if method == "post":
            answers = [made, await http.post(path, json={}, headers={"Idempotency-Key": "k2"})]
        else:
            upstreams.refused.add("odd")
            answers = [
                await http.get(path.format(**ids)) for ids in (there, nowhere, dict.fromkeys(there, "odd"))
            ]
    assert {str(answer.status_code) for answer in answers} == {
        *DOCUMENTS[name]["paths"][path][method]["responses"]
    }
    for answer in answers:
        jsonschema_rs.validate(schema(name, path, method, answer.status_code), answer.json())


async def test_the_clients_ask_for_what_is_in_the_contracts(upstreams: StandIn) -> None:
    async with account_client(ListedInstances(upstreams.url)) as client:
        organizations, payments = OrganizationClient(client), PaymentClient(client)
        await AccountClient(client).validate_user("ann")
        await organizations.validate_organization("org")
        await organizations.is_member("org", "ann")
        made = await payments.create_payment("ann", "1", "USD", reference="r")
        await payments.get_payment(made.payment_id)
        upstreams.unknown.add("ann")
        with pytest.raises(PaymentRefused):
            await payments.create_payment("ann", "1", "USD")
    asked = {
        (question.path.replace(made.payment_id, "{payment_id}"), question.method.lower())
        for question in upstreams.questions
    }
    ids = {"user_id": "ann", "organization_id": "org", "payment_id": "{payment_id}"}
    assert asked == {(path.format(**ids), method) for _, path, method in OPERATIONS}


def test_it_runs_as_a_process() -> None:
    command = [sys.executable, str(Path(module.__file__)), "0", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = json.loads(process.stdout.readline())["url"]
            with httpx.Client(base_url=url, timeout=10) as http:
                assert http.get("/health").status_code == 200
                assert http.get("/api/v1/accounts/ann").json()["user_id"] == "ann"
                assert http.get("/api/v1/accounts/unknown-1").status_code == 404
                assert http.put("/stand-in/fault", content="500").status_code == 204
                assert http.get("/api/v1/accounts/ann").status_code == 500
                assert http.put("/stand-in/fault", content="fire").status_code == 422
                assert http.put("/stand-in/fault").status_code == 204
                assert http.get("/api/v1/accounts/ann").status_code == 200
            process.terminate()
            assert process.wait(30) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
