"""Enqueues jobs, for rooms, and wakes the worker of the same process."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.jobs.context import creator_of
from wallet_service.platform.jobs.repository import JobRepository
from wallet_service.platform.jobs.types import RunnableType


class Jobs:
    """The jobs of the application, as ``state.jobs``.

    Attributes:
        types: that this process can run, by their names.
        repository: stores them.
        enqueued: is set when a job was enqueued by this process, and waits for no moment.
    """

    def __init__(self, repository: JobRepository, types: Mapping[str, RunnableType]) -> None:
        self.repository = repository
        self.types = types
        self.enqueued = asyncio.Event()

    async def enqueue(
        self,
        kind: str,
        arguments: dict[str, Any] | None = None,
        *,
        caller: Principal | None = None,
        organization_id: str | None = None,
        due_at: datetime | None = None,
        key: str | None = None,
        job_id: str | None = None,
    ) -> bytes:
        """Create a job and return it as JSON. Rooms that change something in the same transaction do it in SQL instead.

        Args:
            kind: name of a declared type.
            arguments: for its handler, at most 64 KiB as JSON.
            caller: its creator, under whose client and rights it runs; None: the service itself.
            organization_id: for which the caller acts, if for one.
            due_at: the earliest moment; None: at once.
            key: a type has one job with a key: the job that has it already is returned.
            job_id: made before the first attempt of the caller; None: a new one.

        Raises:
            ValueError: no room declares the type.
            ValidationFailed: the arguments are too large.
        """
        if kind not in self.types:
            raise ValueError(f"no room declares jobs of the type {kind}")
        document = await self.repository.enqueue(
            job_id or new_id(),
            kind,
            arguments or {},
            creator=None if caller is None else creator_of(caller, organization_id),
            due_at=due_at,
            key=key,
        )
        if due_at is None:
            self.enqueued.set()
        return document
