"""The routes of categories, payees and tags, which are alike."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import VersionMismatch, WalletBusy
from wallet_service.core.identifiers import new_id
from wallet_service.finance.books.problems import BookNotFound
from wallet_service.finance.books.service import BookAccess, BookAccessOf
from wallet_service.finance.labels.problems import (
    LabelCycle,
    LabelDepth,
    LabelExists,
    LabelFixed,
    LabelInUse,
    LabelMerged,
    LabelNotFound,
)
from wallet_service.finance.labels.repository import Kind, LabelRepository
from wallet_service.finance.labels.room import LABELS_READ, LABELS_WRITE
from wallet_service.finance.labels.schemas import (
    EXAMPLES,
    CategoryCreate,
    CategoryPatch,
    Label,
    LabelCreate,
    LabelMerge,
    LabelPage,
    LabelPatch,
    LabelQuery,
)
from wallet_service.money.examples import example
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.changes.reads import read_concerns
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.created import request_hash
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.etag import ETAG, IfMatch, etag_of, version_of, versioned_response
from wallet_service.platform.web.idempotency import HeaderKey
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.pagination import decode_cursor, page_response
from wallet_service.platform.web.state import DatabaseOf

Reader = Annotated[Principal, requires(LABELS_READ)]
Writer = Annotated[Principal, requires(LABELS_WRITE)]
LabelInPath = Annotated[UUID, Path(description="The id of the category, payee or tag.")]

_ID = TypeAdapter(tuple[UUID])
_BY_ID = (LabelNotFound, UpstreamUnavailable)
_CHANGES = (*_BY_ID, LabelFixed, VersionMismatch, WalletBusy)
_MOVES = (LabelCycle, LabelDepth, LabelExists)


def _versioned(kind: Kind, **members: Any) -> dict[int | str, dict[str, Any]]:
    """A label with its ETag, for the document: that of the kind's example, with these members."""
    return {200: {"headers": ETAG, "content": example("label", EXAMPLES[kind] | members)}}


class _Routes:
    """The endpoints of one kind of labels that are alike for all.

    Args:
        kind: of the labels.
        path: of their list.
    """

    def __init__(self, kind: Kind, path: str) -> None:
        self._kind: Kind = kind
        self._path = path

    async def list(
        self,
        request: Request,
        caller: Reader,
        query: Annotated[LabelQuery, Query()],
        database: DatabaseOf,
        access: BookAccessOf,
    ) -> Response:
        """Those of a book, oldest first; those that were merged or archived too, unless `merged` or `archived` is given.

        A key names the book by `user_id` or `organization_id`.
        """
        del caller
        book = await access.find(query.user_id, query.organization_id)
        read_concerns(request, user_id=book.owner.user_id)
        filters = query.filters()
        selection = {"book_id": book.book_id, **filters}
        after = (
            None if query.cursor is None else str(decode_cursor(self._kind, selection, query.cursor, _ID)[0])
        )
        items, following = await self._labels(database).page(book.book_id, filters, after, query.limit)
        return page_response(self._kind, selection, items, following and [following])

    async def get(
        self,
        request: Request,
        caller: Reader,
        label_id: LabelInPath,
        database: DatabaseOf,
        access: BookAccessOf,
    ) -> Response:
        """`ETag` is for `If-Match` of a change. Those of others' books are not found."""
        del caller
        found, owner = await self._find(str(label_id), database, access)
        read_concerns(request, user_id=owner)
        return versioned_response(found)

    async def delete(
        self,
        caller: Writer,
        label_id: LabelInPath,
        database: DatabaseOf,
        access: BookAccessOf,
        if_match: IfMatch = None,
    ) -> Response:
        """Delete one that nothing uses. `label_in_use` counts what does: then merge or archive it."""
        del caller
        book_id = await self._book_of(str(label_id), database, access)
        await self._labels(database).delete(str(label_id), book_id, version_of(if_match, f"a {self._kind}"))
        return Response(status_code=204)

    async def merge(
        self,
        caller: Writer,
        label_id: LabelInPath,
        request: LabelMerge,
        database: DatabaseOf,
        access: BookAccessOf,
        if_match: IfMatch = None,
    ) -> Response:
        """Merge it into another one of the book: readers take that one instead, for what was labelled before, too.

        What is under it is then under the other. Nothing else is written, so it can be taken back.
        """
        del caller
        book_id = await self._book_of(str(label_id), database, access)
        version = version_of(if_match, f"a {self._kind}")
        return versioned_response(
            await self._labels(database).merge(str(label_id), book_id, version, str(request.into))
        )

    async def unmerge(
        self,
        caller: Writer,
        label_id: LabelInPath,
        database: DatabaseOf,
        access: BookAccessOf,
        if_match: IfMatch = None,
    ) -> Response:
        """Take a merge back: it stands for itself again, with all that it had. One that was not merged stays as it is."""
        del caller
        book_id = await self._book_of(str(label_id), database, access)
        version = version_of(if_match, f"a {self._kind}")
        return versioned_response(await self._labels(database).unmerge(str(label_id), book_id, version))

    def _labels(self, database: DatabaseOf) -> LabelRepository:
        return LabelRepository(database, self._kind)

    async def _create(
        self,
        caller: Principal,
        request: LabelCreate | CategoryCreate,
        database: DatabaseOf,
        access: BookAccess,
        key: str | None,
    ) -> Response:
        book = await access.find(request.user_id, request.organization_id, place="body")
        label = request.model_dump(mode="json", exclude={"user_id", "organization_id"})
        label["book_id"] = book.book_id
        created = await self._labels(database).create(
            new_id(), caller.client_id, key, request_hash(1, self._kind, label), label
        )
        document: dict[str, Any] = json.loads(created.document)
        location = f"{self._path}/{document['label_id']}"
        return created_response(
            created.document, location, replayed=created.replayed, headers=etag_of(document)
        )

    async def _update(
        self,
        label_id: UUID,
        request: LabelPatch | CategoryPatch,
        database: DatabaseOf,
        access: BookAccess,
        if_match: str | None,
    ) -> Response:
        changes = request.model_dump(mode="json", include=request.model_fields_set)
        book_id = await self._book_of(str(label_id), database, access)
        version = version_of(if_match, f"a {self._kind}")
        return versioned_response(
            await self._labels(database).update(str(label_id), book_id, version, changes)
        )

    async def _book_of(self, label_id: str, database: DatabaseOf, access: BookAccess) -> str:
        """The book of a label that the caller may see."""
        found, _ = await self._find(label_id, database, access)
        return json.loads(found)["book_id"]

    async def _find(
        self, label_id: str, database: DatabaseOf, access: BookAccess
    ) -> tuple[bytes, str | None]:
        """A label that the caller may see, and the user whose book it is in.

        Raises:
            LabelNotFound: there is none, or the caller may not see its book.
        """
        found = await self._labels(database).get(label_id)
        try:
            book = await access.require(json.loads(found)["book_id"])
        except BookNotFound:
            raise LabelNotFound(label_id=label_id) from None
        return found, book.owner.user_id


class _CategoryRoutes(_Routes):
    """Those of categories."""

    async def create(
        self,
        caller: Writer,
        request: CategoryCreate,
        database: DatabaseOf,
        access: BookAccessOf,
        header_key: HeaderKey,
    ) -> Response:
        """Create one under another one of a book. The same idempotency key and request create one."""
        return await self._create(caller, request, database, access, header_key)

    async def update(
        self,
        _caller: Writer,
        label_id: LabelInPath,
        request: CategoryPatch,
        database: DatabaseOf,
        access: BookAccessOf,
        if_match: IfMatch = None,
    ) -> Response:
        """Change name, parent_id, color, icon, tax_code or archived by a merge patch (RFC 7396). Absent members stay.

        Another `parent_id` moves it with all that is under it. With `If-Match`, one that has changed since is refused as
        `version_mismatch`.
        """
        return await self._update(label_id, request, database, access, if_match)


class _OtherRoutes(_Routes):
    """Those of payees, and those of tags."""

    async def create(
        self,
        caller: Writer,
        request: LabelCreate,
        database: DatabaseOf,
        access: BookAccessOf,
        header_key: HeaderKey,
    ) -> Response:
        """Create one in a book. The same idempotency key and request create one."""
        return await self._create(caller, request, database, access, header_key)

    async def update(
        self,
        _caller: Writer,
        label_id: LabelInPath,
        request: LabelPatch,
        database: DatabaseOf,
        access: BookAccessOf,
        if_match: IfMatch = None,
    ) -> Response:
        """Change name, parent_id, color, icon or archived by a merge patch (RFC 7396). Absent members stay.

        Another `parent_id` moves it with all that is under it. With `If-Match`, one that has changed since is refused as
        `version_mismatch`.
        """
        return await self._update(label_id, request, database, access, if_match)


_AnyRoutes = _CategoryRoutes | _OtherRoutes


def _routes_of_list(router: APIRouter, routes: _AnyRoutes, one: Kind, several: str) -> None:
    router.add_api_route(
        "",
        routes.list,
        methods=["GET"],
        name=f"list_{several}",
        operation_id=f"list_{several}",
        summary=f"List {several}",
        response_model=LabelPage,
        responses={
            200: {"content": example("found", {"items": [EXAMPLES[one]], "next_cursor": None})},
            **problems(*READS, BookNotFound, UpstreamUnavailable),
        },
    )
    router.add_api_route(
        "",
        routes.create,
        methods=["POST"],
        name=f"create_{one}",
        operation_id=f"create_{one}",
        summary=f"Create a {one}",
        status_code=201,
        response_model=Label,
        responses={
            201: {
                "headers": ETAG | created_headers(one),
                "content": example("created", EXAMPLES[one]),
            },
            **problems(
                *WRITES,
                *KEYED,
                BookNotFound,
                LabelNotFound,
                LabelExists,
                LabelDepth,
                WalletBusy,
                UpstreamUnavailable,
            ),
        },
    )


def _routes_of_one(router: APIRouter, routes: _AnyRoutes, one: Kind) -> None:
    router.add_api_route(
        "/{label_id}",
        routes.get,
        methods=["GET"],
        name=f"get_{one}",
        operation_id=f"get_{one}",
        summary=f"Read a {one}",
        response_model=Label,
        responses={**_versioned(one), **problems(*READS, *_BY_ID)},
    )
    router.add_api_route(
        "/{label_id}",
        routes.update,
        methods=["PATCH"],
        name=f"update_{one}",
        operation_id=f"update_{one}",
        summary=f"Change a {one}",
        response_model=Label,
        responses={**_versioned(one, version=2), **problems(*WRITES, *_CHANGES, *_MOVES, LabelMerged)},
    )
    router.add_api_route(
        "/{label_id}",
        routes.delete,
        methods=["DELETE"],
        name=f"delete_{one}",
        operation_id=f"delete_{one}",
        summary=f"Delete a {one}",
        status_code=204,
        response_class=Response,
        responses=problems(*READS, *_CHANGES, LabelInUse),
    )


def _routes_of_merges(router: APIRouter, routes: _AnyRoutes, one: Kind) -> None:
    router.add_api_route(
        "/{label_id}/merge",
        routes.merge,
        methods=["POST"],
        name=f"merge_{one}",
        operation_id=f"merge_{one}",
        summary=f"Merge a {one} into another",
        response_model=Label,
        responses={
            **_versioned(one, version=2, merged_into=EXAMPLES["category"]["parent_id"]),
            **problems(*WRITES, *_CHANGES, LabelCycle, LabelDepth),
        },
    )
    router.add_api_route(
        "/{label_id}/unmerge",
        routes.unmerge,
        methods=["POST"],
        name=f"unmerge_{one}",
        operation_id=f"unmerge_{one}",
        summary=f"Take the merge of a {one} back",
        response_model=Label,
        responses={**_versioned(one, version=3), **problems(*READS, *_CHANGES, *_MOVES)},
    )


def _router_of(kind: Kind, several: str) -> APIRouter:
    path = f"/api/v1/{several}"
    router = APIRouter(prefix=path, tags=[several], route_class=StrictRoute)
    routes = _CategoryRoutes(kind, path) if kind == "category" else _OtherRoutes(kind, path)
    _routes_of_list(router, routes, kind, several)
    _routes_of_one(router, routes, kind)
    _routes_of_merges(router, routes, kind)
    return router


categories = _router_of("category", "categories")
payees = _router_of("payee", "payees")
tags = _router_of("tag", "tags")
