"""What the credits room declares."""

from wallet_service.core.room import RecordedRead, Room

ROOM = Room(
    name="credits",
    module=__name__,
    summary="a user's credits, for older clients",
    routers=("router:router",),
    tags={
        "credits": "For clients that know only a user's id: the user's primary `CREDIT` wallet, created at its first use."
    },
    recorded_reads={"credits_balance": RecordedRead(action="user_credits.read")},
)
