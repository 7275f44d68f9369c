"""The requests that are written by hand: postman/operations.yaml and postman/flows/*.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from contract.document import ROOT
from contract.postman.cases import Case, Operation

FOLDER = ROOT / "postman"
_MEMBERS = {field.name for field in fields(Case)} - {"status", "code", "replayed"} | {"expect"}


class WrittenError(Exception):
    """A file in postman/ does not agree with the OpenAPI document. The message has the place."""


@dataclass(frozen=True)
class Flow:
    """Requests that are sent one after the other."""

    name: str
    description: str
    cases: list[Case]


def read(path: Path) -> Any:
    """The content of a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def flows(operations: Mapping[str, Operation]) -> list[Flow]:
    """Every flow, in the order of the files' names.

    Raises:
        WrittenError: a request has an operation that is not in the document.
    """
    found: list[Flow] = []
    for path in sorted((FOLDER / "flows").glob("*.yaml")):
        flow = read(path)
        cases = [written(request, operations) for request in flow["requests"]]
        found.append(Flow(flow["name"], flow["description"], cases))
    return found


def written(
    request: Mapping[str, Any], operations: Mapping[str, Operation], base: Case | None = None
) -> Case:
    """The case of a request in a file.

    Args:
        request: the members of the request, see postman/flows/1-debit-and-refund.yaml.
        operations: the operations of the document.
        base: the request that it changes, if it is not a new one.

    Raises:
        WrittenError: a member is not known, or the operation is not in the document.
    """
    name = request.get("name", base.name if base else "")
    unknown = request.keys() - _MEMBERS
    if unknown:
        raise WrittenError(f"{name}: unknown members: {', '.join(sorted(unknown))}")
    changes = {member: value for member, value in request.items() if member not in {"operation", "expect"}}
    if "operation" in request:
        if request["operation"] not in operations:
            raise WrittenError(f"{name}: the document has no {request['operation']}")
        base = Case(name, operations[request["operation"]], status=0)
    if base is None:
        raise WrittenError(f"{name}: the operation is missing")
    if "expect" in request:
        status, _, more = str(request["expect"]).partition(" ")
        replayed = more == "replayed"
        changes |= {"status": int(status), "code": None if replayed else more or None, "replayed": replayed}
    case = replace(base, **changes)
    if not case.status:
        raise WrittenError(f"{name}: the expected response is missing")
    return case
