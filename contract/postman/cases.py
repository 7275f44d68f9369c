"""A request of the collection and its expected response."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Self

from contract.document import Document
from contract.references import inlined

JSON = "application/json"
STREAM = "text/event-stream"
NEVER = "00000000-0000-7000-8000-000000000000"
"""An id that does not exist."""


@dataclass(frozen=True)
class Operation:
    """An operation of the OpenAPI document.

    Attributes:
        described: the part of the document about it.
    """

    method: str
    path: str
    described: Document = field(repr=False)

    @property
    def name(self) -> str:
        """Method and path: ``POST /api/v1/wallets``."""
        return f"{self.method} {self.path}"

    @property
    def tag(self) -> str:
        """The tag under which /docs lists it."""
        tag: str = self.described["tags"][0]
        return tag

    @property
    def status(self) -> int:
        """The status of its successful response."""
        return next(
            int(status) for status in self.described["responses"] if int(status) < HTTPStatus.BAD_REQUEST
        )

    @property
    def codes(self) -> Mapping[str, int]:
        """The codes of its problems, and their statuses."""
        return {
            code: int(status)
            for status, response in self.described["responses"].items()
            for content in response.get("content", {}).values()
            for code in content.get("examples", {})
            if int(status) >= HTTPStatus.BAD_REQUEST
        }

    @property
    def parameters(self) -> list[Document]:
        """The parameters of path, query and headers."""
        found: list[Document] = self.described.get("parameters", [])
        return found

    def parameter(self, name: str) -> Document | None:
        """The parameter of this name, if there is one."""
        return next((each for each in self.parameters if each["name"] == name), None)

    @property
    def reads(self) -> Mapping[str, Document]:
        """The media types of its body."""
        found: Mapping[str, Document] = self.described.get("requestBody", {}).get("content", {})
        return found

    @property
    def responses(self) -> Mapping[str, Document]:
        """The media types of its successful response; none if it has no body."""
        found: Mapping[str, Document] = self.described["responses"][str(self.status)].get("content", {})
        return found


def operations(document: Document) -> dict[str, Operation]:
    """Every operation by its name, in the document's order."""
    found = [
        Operation(method.upper(), path, described)
        for path, methods in inlined(document)["paths"].items()
        for method, described in methods.items()
    ]
    return {operation.name: operation for operation in found}


@dataclass(frozen=True)
class Case:
    """A request and its expected response.

    Attributes:
        path: values of the parameters of the path. A parameter without a value becomes the variable of its name.
        body: members, or a text that is sent unchanged.
        credentials: whether the collection's key is sent, or the variable whose value is sent instead.
        code: the code of the expected problem.
        replayed: whether the response is the one to the request before it, which had the same idempotency key.
        sets: variables that get a value before the request; ``{{$guid}}`` is one value for every use of the variable.
        before: JavaScript that runs before the request.
        saves: variables that get a member of the response, by its path in JavaScript: ``items[0].wallet_id``.
        check: JavaScript, after the checks of every response; it has the response as ``answer``.
        needs: a variable. While it is empty, the request is skipped.
    """

    name: str
    operation: Operation
    status: int
    code: str | None = None
    replayed: bool = False
    description: str = ""
    path: Mapping[str, str] = field(default_factory=dict[str, str])
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None
    credentials: bool | str = True
    sets: Mapping[str, str] = field(default_factory=dict[str, str])
    before: str = ""
    saves: Mapping[str, str] = field(default_factory=dict[str, str])
    check: str = ""
    needs: str = ""

    @property
    def shows_operation(self) -> bool:
        """Whether this is the example of the operation, with all descriptions of the document."""
        return self.name == self.operation.described["summary"]

    def but(self, name: str, code: str | None = None, **changes: Any) -> Self:
        """This request with changes, and with the response that is expected then."""
        left_out: dict[str, Any] = {"sets": {}, "before": "", "saves": {}, "check": "", "description": ""}
        left_out["replayed"] = False
        status = changes.pop("status", self.operation.codes[code] if code else self.status)
        return replace(self, **left_out | changes, name=name, status=status, code=code)
