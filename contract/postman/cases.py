"""One request of the collection and what it must be answered with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Self

from contract.document import Document
from contract.references import inlined

JSON = "application/json"
NEVER = "00000000-0000-7000-8000-000000000000"
"""An id that nothing has."""


@dataclass(frozen=True)
class Operation:
    """An operation of the OpenAPI document.

    Attributes:
        described: its part of the document.
    """

    method: str
    path: str
    described: Document = field(repr=False)

    @property
    def name(self) -> str:
        """As in ``POST /api/v1/wallets``."""
        return f"{self.method} {self.path}"

    @property
    def tag(self) -> str:
        """Under which /docs has it."""
        tag: str = self.described["tags"][0]
        return tag

    @property
    def status(self) -> int:
        """Of the answer when all is well."""
        return next(
            int(status) for status in self.described["responses"] if int(status) < HTTPStatus.BAD_REQUEST
        )

    @property
    def codes(self) -> Mapping[str, int]:
        """The problems that it can be answered with, and their statuses."""
        return {
            code: int(status)
            for status, response in self.described["responses"].items()
            for content in response["content"].values()
            for code in content.get("examples", {})
            if int(status) >= HTTPStatus.BAD_REQUEST
        }

    @property
    def parameters(self) -> list[Document]:
        """Of the path, the query and the headers."""
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
    def answers(self) -> Mapping[str, Document]:
        """The media types of its answer when all is well."""
        found: Mapping[str, Document] = self.described["responses"][str(self.status)]["content"]
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
    """A request and its answer.

    Attributes:
        path: values of the path's parameters; each that is not given is the variable of its name.
        body: members, or text that is sent as it is.
        credentials: whether the collection's key is sent, or the variable whose value is sent instead.
        code: of the problem that it is refused with.
        replayed: whether the response is the one to the request before it, which had the same idempotency key.
        sets: variables that get a value before the request; ``{{$guid}}`` is one value for all that use the variable.
        before: JavaScript that runs before the request.
        saves: variables that get a member of the answer, by its path in JavaScript: ``items[0].wallet_id``.
        check: JavaScript, after the checks of every response; it has the response as ``answer``.
        needs: a variable; while it is empty the request is left out.
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
        """Whether this is the request that shows the operation, with all that the document has about it."""
        return self.name == self.operation.described["summary"]

    def but(self, name: str, code: str | None = None, **changes: Any) -> Self:
        """This request with something changed, after which it is refused, or answered otherwise."""
        left_out: dict[str, Any] = {"sets": {}, "before": "", "saves": {}, "check": "", "description": ""}
        left_out["replayed"] = False
        status = changes.pop("status", self.operation.codes[code] if code else self.status)
        return replace(self, **left_out | changes, name=name, status=status, code=code)
