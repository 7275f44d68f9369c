"""The job that imports a file."""

from collections import Counter
from typing import Any

import simplejson

from wallet_service.core.errors import Forbidden, Unauthorized, WalletError
from wallet_service.money.opening_balances.records import READERS
from wallet_service.money.opening_balances.repository import ImportRepository
from wallet_service.money.opening_balances.service import ImportService
from wallet_service.platform.files.service import FileCorrupt, owner_of
from wallet_service.platform.jobs.context import JobContext, JobRefused

MOST_REFUSED = 50
"""Refused lines in the result: the first ones."""


async def import_file(context: JobContext) -> None:
    """Import the lines of a file of the creator; lines that an earlier attempt imported are replayed."""
    caller = await context.caller()
    verified = not context.state.membership.verifies_owners
    service = ImportService(ImportRepository(context.state.database), caller.client_id, verified=verified)
    counts: Counter[str] = Counter()
    refused: list[dict[str, Any]] = []
    try:
        file, content = await context.state.files.open(owner_of(caller), context.arguments["file_id"])
        async for lines in service.outcomes(READERS[file["media_type"]](content)):
            outcomes: list[dict[str, Any]] = [simplejson.loads(line) for line in lines.splitlines()]
            counts.update(outcome["status"] for outcome in outcomes)
            refused += [each for each in outcomes if each["status"] == "refused"]
            del refused[MOST_REFUSED:]
            context.progress(counts.total(), note=f"{counts['refused']} refused")
            await context.caller()  # its rights may have gone since the last lines
    except FileCorrupt as error:
        raise JobRefused("file_corrupt", "The file is no longer as it was uploaded") from error
    except WalletError as error:
        if error.retryable or isinstance(error, Unauthorized | Forbidden):
            raise
        detail = f"{error.detail}. The lines up to {service.last_line_done} are done"
        raise JobRefused(error.code, detail) from error
    members = {status: counts[status] for status in ("created", "replayed", "refused")}
    context.finish_with({**members, "refused_lines": refused})
