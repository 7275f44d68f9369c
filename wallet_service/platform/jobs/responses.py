"""The response of a request whose work goes on in the background, for routers of all rooms."""

import json
from typing import Any

from wallet_service.platform.jobs.room import PATH
from wallet_service.platform.web.responses import JsonBytes

ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "The work goes on in the background. `Location` is the job's path.",
        "headers": {"Location": {"description": "The path of the job.", "schema": {"type": "string"}}},
    }
}
"""For ``responses`` of the route, beside ``status_code=202`` and ``response_model=Job``."""


def accepted(job: bytes) -> JsonBytes:
    """202 with the job, as ``Jobs.enqueue`` returned it, and its path as ``Location``."""
    return JsonBytes(job, 202, headers={"Location": f"{PATH}/{json.loads(job)['job_id']}"})
