"""Collects the hooks of all rooms when the application starts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext, batch_operations_of, posting_members_of
from wallet_service.money.transactions.hooks import PostingHooks, RequestMembers


@asynccontextmanager
async def open_posting_hooks(context: RoomContext) -> AsyncGenerator[None]:
    """The hooks of all rooms, as ``state.posting_hooks``."""
    types = {kind.name: kind for room in context.rooms for kind in room.operation_types}
    permissions = {each.name: each for room in context.rooms for each in room.permissions}
    context.state.posting_hooks = PostingHooks(
        context.state,
        types,
        batch_operations_of(context.rooms),
        {kind.name: permissions[kind.permission] for kind in types.values()},
        [room.load(reference) for room in context.rooms for reference in room.posting_checks],
        [room.load(reference) for room in context.rooms for reference in room.after_posting],
        RequestMembers(
            [(permissions[each.permission], model) for each, model in posting_members_of(context.rooms)]
        ),
    )
    yield
