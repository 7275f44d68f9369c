"""Problems of jobs."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError


class JobNotFound(WalletError):
    """The job does not exist, was removed some time after its end, or belongs to another user."""

    code, status, title = "job_not_found", 404, "Job not found"


class JobStatus(WalletError):
    """The status of the job forbids this: it runs, or has succeeded."""

    code, status, title = "job_status", 409, "Not in this status of the job"
    details = ("The job is {job_status}",)
    example_facts: ClassVar[Mapping[str, Any]] = {
        "job_id": "0199d0a8-0000-7000-8000-00000000010b",
        "job_status": "succeeded",
    }
