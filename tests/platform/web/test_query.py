"""Values of a query have one spelling."""

from typing import Annotated

import httpx
import pytest
from fastapi import Depends, Query
from fastapi.dependencies.utils import get_dependant
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from support.api import Api, pointers, problem

from wallet_service.platform.web.pagination import DEFAULT_LIMIT, Limit
from wallet_service.platform.web.query import DIGITS, BoolInQuery, parameters_of

WHOLE = TypeAdapter(Annotated[int, DIGITS])
BOOL = TypeAdapter(BoolInQuery)

LAX_NUMBERS = (
    "5_0",
    " 5",
    "5 ",
    "+5",
    "-0",
    "05",
    "00",
    "5.0",
    "5e0",
    "0x5",
    "\u0665",
    "\uff15",
    "",
    "five",
    "\n5",
)


@pytest.mark.parametrize("text", LAX_NUMBERS)
def test_another_spelling_of_a_number_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="digits 0 to 9"):
        WHOLE.validate_python(text)


@pytest.mark.parametrize("text", ["1", "0", "on", "yes", "t", "y", "True", "TRUE", " true", "", "2"])
def test_another_spelling_of_a_truth_value_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="true or false"):
        BOOL.validate_python(text)


def test_the_spelling_is_read() -> None:
    assert [WHOLE.validate_python(text) for text in ("0", "5", "50", "100")] == [0, 5, 50, 100]
    assert [BOOL.validate_python(text) for text in ("true", "false")] == [True, False]


async def test_lists_refuse_other_spellings(direct_api: Api) -> None:
    admin = direct_api.admin
    wallet = await admin.wallet()
    for path in (
        "/wallets",
        f"/users/{wallet['user_id']}/wallets",
        f"/users/{wallet['user_id']}/transactions",
        f"/wallets/{wallet['wallet_id']}/transactions",
    ):
        assert pointers(problem(await admin.get(path, limit="5_0"), "validation_failed")) == ["/limit"]
        assert (await admin.get(path, limit="50")).status_code == 200
    assert pointers(problem(await admin.get("/wallets", verified="1"), "validation_failed")) == ["/verified"]
    assert (await admin.get("/wallets", verified="true")).status_code == 200


@pytest.mark.parametrize("path", ["/wallets", "/jobs", "/files", "/events", "/webhooks", "/audit"])
async def test_a_list_refuses_a_parameter_that_it_does_not_read(direct_api: Api, path: str) -> None:
    """A filter with a wrong name would select everything."""
    refused = problem(
        await direct_api.admin.get(path, limit=1, statsu="dead", **{"a/b": "1"}), "validation_failed"
    )
    assert pointers(refused) == ["/a~1b", "/statsu"]
    assert "limit" in refused["errors"][0]["detail"]
    assert refused["errors"][0]["code"] == "extra_forbidden"
    assert (await direct_api.admin.get(path, limit=1)).status_code == 200


async def test_the_caller_is_authenticated_first(direct_api: Api) -> None:
    answer = await direct_api.http.get("/api/v1/jobs?statsu=dead")
    problem(answer, "unauthorized")


def test_the_parameters_of_an_endpoint_are_those_of_its_dependencies_too() -> None:
    class Page(BaseModel):
        from_: str = Field(default="", alias="from")
        limit: Limit = DEFAULT_LIMIT

    def depended(sort: str = "") -> str:
        return sort

    def endpoint(page: Annotated[Page, Query()], sort: Annotated[str, Depends(depended)]) -> None:
        del page, sort

    def plain(named: Annotated[str, Query(alias="name")], limit: Limit = DEFAULT_LIMIT) -> None:
        del named, limit

    assert parameters_of(get_dependant(path="/", call=endpoint)) == {"from", "limit", "sort"}
    assert parameters_of(get_dependant(path="/", call=plain)) == {"name", "limit"}


def test_httpx_sends_them_as_they_are() -> None:
    """Or the test before would show nothing."""
    assert httpx.URL("http://w/", params={"limit": "5_0"}).query == b"limit=5_0"
