"""The caller of the current task as a parameter of a database function."""

from wallet_service.core.caller import current_caller
from wallet_service.platform.database.gateway import Json


def caller_param() -> Json:
    """``p_caller`` of a function that records what it changes: who calls, as the audit trail names it."""
    return Json.of(current_caller().document())
