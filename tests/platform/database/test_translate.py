"""What no server of the tests says, and poolers and gateways do."""

import asyncpg
import pytest

from wallet_service.core.errors import InternalError, Unavailable
from wallet_service.platform.database.translate import RestError, loggable, translate


def fault(severity: str, state: str) -> Exception:
    """As asyncpg makes it from a server's message."""
    fields = {"S": severity, "V": severity, "C": state, "M": "MaxClientsInSessionMode: max clients reached"}
    return asyncpg.PostgresError.new(fields)


@pytest.mark.parametrize("severity", ["FATAL", "PANIC"])
def test_whatever_ends_the_session_is_unavailable(severity: str) -> None:
    """Supabase's pooler says so, under the state of an internal error, when it has no connection to give."""
    assert isinstance(translate(fault(severity, "XX000")), Unavailable)
    assert isinstance(translate(fault("ERROR", "XX000")), InternalError)


@pytest.mark.parametrize("details", ["Failing row contains (hunter2)", "[1]", "7", '"text"'])
def test_a_refusal_that_is_not_ours_is_a_fault(details: str) -> None:
    error = RestError(400, "WL001", "insufficient_funds", details)
    assert type(translate(error)) is InternalError
    assert "hunter2" not in f"{loggable(error)!r}"
