# Generated from wallet_client/_async/jobs.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Jobs: work in the background of the service."""

import time
from typing import TYPE_CHECKING

from wallet_client._call import PAGE_SIZE, Call, Id, JobState, change_call, get_call
from wallet_client._responses import job_of, jobs_of
from wallet_client._sync.pages import Pages
from wallet_client._sync.runner import Runner

if TYPE_CHECKING:
    from wallet_client.models import Job, Page

_ROUTE = "/jobs/{job_id}"


class JobsResource:
    """``client.jobs``: their progress and outcome. A user token sees the jobs of its user."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def list(
        self,
        *,
        status: JobState | None = None,
        job_type: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "Pages[Job]":
        """Jobs, newest first.

        Args:
            status: only jobs with this status; ``due``: those that wait for a worker now.
            job_type: only jobs of this type.
            page_size: items per request, 1 to 100.
        """

        def page_after(cursor: str | None) -> "Call[Page[Job]]":
            query = {"status": status, "type": job_type, "limit": page_size, "cursor": cursor}
            return get_call("list_jobs", "/jobs", jobs_of, query)

        return Pages(self._runner, page_after)

    def get(self, job_id: Id) -> "Job":
        """Read a job.

        Args:
            job_id: the job.

        Raises:
            JobNotFound: the caller sees no such job.
        """
        return self._runner.run(get_call("get_job", _ROUTE, job_of, job_id=job_id))

    def retry(self, job_id: Id) -> "Job":
        """Make a dead, cancelled, paused or waiting job due at once.

        Args:
            job_id: the job.

        Raises:
            JobNotFound: the caller sees no such job.
            JobStatus: it runs, or has succeeded.
        """
        call = change_call("retry_job", "POST", f"{_ROUTE}/retry", job_of, None, None, job_id=job_id)
        return self._runner.run(call)

    def cancel(self, job_id: Id) -> "Job":
        """End a job; what it has done by then stays. One that is cancelled already stays as it is.

        Args:
            job_id: the job.

        Raises:
            JobNotFound: the caller sees no such job.
            JobStatus: it has succeeded.
        """
        call = change_call("cancel_job", "POST", f"{_ROUTE}/cancel", job_of, None, None, job_id=job_id)
        return self._runner.run(call)

    def wait(self, job_id: Id, *, timeout_s: float = 600.0, poll_s: float = 1.0) -> "Job":
        """Wait until a job has ended, or is paused, and return it as it is then.

        Args:
            job_id: the job.
            timeout_s: seconds after which the wait ends; the job goes on.
            poll_s: seconds between two reads.

        Raises:
            JobNotFound: the caller sees no such job.
            TimeoutError: the job has not ended in time.
        """
        until = time.monotonic() + timeout_s
        while True:
            job = self.get(job_id)
            if job.has_ended or job.status == "paused":
                return job
            left_s = until - time.monotonic()
            if left_s <= 0:
                raise TimeoutError(f"the job {job.job_id} is still {job.status}")
            self._runner.pause(min(poll_s, left_s))
