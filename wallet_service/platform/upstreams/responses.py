"""Reads responses of upstream services."""

from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel

from wallet_service.platform.upstreams.problems import UpstreamUnavailable

_ROUTERS_DETAIL = "Not Found"
"""The detail of the 404 that the routers of FastAPI and Starlette send if no route matches."""

_Model = TypeVar("_Model", bound=BaseModel)


class ResponseDefect(ValueError):
    """A defect of a response. The message is logged, so it has nothing of the response."""


class ResponseUnusable(Exception):
    """The service responded, but the response can't be used. A retry would get the same one.

    Attributes:
        upstream: the name of the service.
        status: the HTTP status.
        refuses_id: whether the service rejects the id as impossible.
    """

    def __init__(self, upstream: str, status: int, *, refuses_id: bool) -> None:
        super().__init__(f"The response of the {upstream} service can't be used")
        self.upstream = upstream
        self.status = status
        self.refuses_id = refuses_id

    def as_unavailable(self) -> UpstreamUnavailable:
        """The problem, for callers that treat this error like an unavailable service."""
        return UpstreamUnavailable(str(self), upstream=self.upstream)


def refuses_id(status: int, document: dict[str, Any]) -> bool:
    """Whether the response rejects the id as impossible. A proxy's own 400 has no ``detail``."""
    return status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY} and "detail" in document


def is_unknown(status: int, document: dict[str, Any]) -> bool:
    """Whether the response means that the thing does not exist.

    Gateways and routers send a 404 of their own if no route matches. If that counted as "unknown", a wrong URL would
    freeze wallets.
    """
    detail = document.get("detail")
    return status == HTTPStatus.NOT_FOUND and isinstance(detail, str) and detail != _ROUTERS_DETAIL


def read_body(status: int, model: type[_Model], document: dict[str, Any], **ids: str) -> _Model:
    """The body of a 200, checked to be about the requested thing.

    Some servers decode an encoded slash in the path; then the response can be about another thing.

    Raises:
        ValueError: the status or the form is another one, or the response is about another thing.
    """
    if status != HTTPStatus.OK:
        raise ResponseDefect(f"the response has status {status}")
    found = model.model_validate(document)
    if any(getattr(found, name) != value for name, value in ids.items()):
        raise ResponseDefect("the response is about another thing")
    return found
