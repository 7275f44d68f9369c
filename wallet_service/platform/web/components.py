"""Shared components of the OpenAPI document: what operations repeat is written once and referenced."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from wallet_service.platform.web.problems import MEDIA_TYPE

_JSON = "application/json"

Document = dict[str, Any]
"""An OpenAPI document, or a part of one."""


class _Use(NamedTuple):
    """One place of the document that holds a part by its value.

    Attributes:
        name: under which the part is offered as a component.
        holder: the object or array that holds the part.
        key: the part's member name or index in the holder.
    """

    name: str
    holder: Any
    key: Any


def share_components(document: Document) -> None:
    """Replace the repeated parts of the operations by references to ``components``, in place.

    Every example of a problem becomes a component, named by its code, and every other example of a response, named by
    its operation. Responses with a single problem and parameters become components if they are used more than once. All
    other parts stay where they are, so an operation still lists its statuses and codes. A component has one form: if
    parts of one name differ, the form with the most uses becomes the component, and the others stay in place.

    Headers of responses stay too: they are small, and Postman's import does not resolve references to headers.
    """
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    components = document.setdefault("components", {})
    _share(components, "responses", [use for each in operations for use in _single_problems(each)])
    responses = [
        *components.get("responses", {}).values(),
        *(each for operation in operations for each in operation["responses"].values()),
    ]
    examples = [use for each in responses for use in _examples(each)]
    examples += [use for each in operations for use in _examples_of_success(each)]
    _share(components, "examples", examples, least=1)
    _share(components, "parameters", [use for each in operations for use in _parameters(each)])


def _share(components: Document, kind: str, uses: Iterable[_Use], least: int = 2) -> None:
    """Move the parts that have at least so many equal uses to the components of this kind."""
    uses = list(uses)
    forms: dict[str, Counter[str]] = {}
    for use in uses:
        forms.setdefault(use.name, Counter())[_form(use)] += 1
    # Among forms with equally many uses, the first one of the document is chosen.
    chosen = {name: counted.most_common(1)[0] for name, counted in forms.items()}
    shared: Document = {}
    for use in uses:
        form, count = chosen[use.name]
        if count >= least and _form(use) == form:
            shared[use.name] = use.holder[use.key]
            use.holder[use.key] = {"$ref": f"#/components/{kind}/{use.name}"}
    if shared:
        components[kind] = dict(sorted(shared.items()))


def _form(use: _Use) -> str:
    return json.dumps(use.holder[use.key], sort_keys=True)


def _named(name: str, holder: Any, key: Any) -> _Use:
    """With the name in the characters that the name of a component may have."""
    return _Use(re.sub(r"[^\w.-]", "_", name, flags=re.ASCII), holder, key)


def _problem_examples(response: Document) -> Document:
    examples: Document = response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
    return examples


def _examples(response: Document) -> list[_Use]:
    examples = _problem_examples(response)
    return [_named(code, examples, code) for code in examples]


def _examples_of_success(operation: Document) -> list[_Use]:
    found: list[Document] = [
        response["content"][_JSON]["examples"]
        for response in operation["responses"].values()
        if "examples" in response.get("content", {}).get(_JSON, {})
    ]
    return [_named(f"{operation['operationId']}.{name}", each, name) for each in found for name in each]


def _single_problems(operation: Document) -> list[_Use]:
    """The responses that have one problem, named by its code."""
    responses: Document = operation["responses"]
    found = {status: list(_problem_examples(response)) for status, response in responses.items()}
    return [_named(codes[0], responses, status) for status, codes in found.items() if len(codes) == 1]


def _parameters(operation: Document) -> list[_Use]:
    parameters = operation.get("parameters", [])
    return [_named(each["name"], parameters, index) for index, each in enumerate(parameters)]
