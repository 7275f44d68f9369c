"""Declares jobs whose handlers tests control."""

from wallet_service.core.room import JobType, Room

ROOM = Room(
    name="job_room",
    module=__name__,
    summary="jobs of tests",
    jobs=(
        JobType(
            name="deposit_slowly",
            summary="deposits 1 into a wallet, then waits until a file exists",
            handler="handlers:deposit_slowly",
            permission="deposits:write",
            lease_s=2,
            timeout_s=60,
        ),
        JobType(
            name="deposit_once",
            summary="deposits into a wallet",
            handler="handlers:deposit_once",
            permission="deposits:write",
            max_attempts=1000,
            lease_s=2,
            first_pause_s=1,
            longest_pause_s=1,
        ),
        JobType(name="count", summary="counts to a number", handler="handlers:count"),
        JobType(name="fail", summary="fails", handler="handlers:fail", max_attempts=2, first_pause_s=1),
    ),
)
