"""Events as CloudEvents 1.0, and the pages in which the database returns them.

The JSON is written here rather than by the package ``cloudevents``: the data stays the bytes that SQL wrote, so amounts
and numbers of callers keep their digits, and nothing is parsed for each reader. A test checks it with the specification.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MEDIA_TYPE = "application/cloudevents+json"

_DIGITS = 19
"""Of a bigint: the attribute ``sequence`` is compared as text."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event.

    Attributes:
        number: its place in the order of all events, without gaps.
        event_id: unique, the same whenever it is read.
        type: as a room declares it.
        time: when it happened: RFC 3339.
        subject: the id of the transaction, or of the object that changed.
        wallet_id: of the wallet that it is about; None if it is about none.
        wallet_version: of an entry; None for a change.
        user_id: whose it is, if it is that of one user.
        organization_id: of the wallet.
        data: as clients see it: JSON.
        owner_data: as the user sees it who owns the wallet.
    """

    number: int
    event_id: str
    type: str
    time: str
    subject: str
    wallet_id: str | None
    wallet_version: int | None
    user_id: str | None
    organization_id: str | None
    data: bytes
    owner_data: bytes


@dataclass(frozen=True, slots=True)
class Events:
    """A page of events.

    Attributes:
        events: in their order.
        after: the number to continue after. It may be beyond that of the last event, if those after it were not wanted.
        more: whether there are events after it at present.
        latest: the number of the newest event.
    """

    events: list[Event]
    after: int
    more: bool
    latest: int


def read_events(answer: bytes) -> Events:
    """The page in the result of ``wallet_api.read_events``."""
    first, *lines = answer.split(b"\n")
    place: dict[str, Any] = json.loads(first)
    parts = zip(lines[::3], lines[1::3], lines[2::3], strict=True)
    events = [event_of(json.loads(facts), data, owner_data or data) for facts, data, owner_data in parts]
    return Events(events, place["after"], place["more"], place["latest"])


def event_of(facts: Sequence[Any], data: bytes, owner_data: bytes | None = None) -> Event:
    """The event of its parts, as ``wallet_api.read_events`` describes them."""
    number, event_id, kind, time, subject, wallet_id, wallet_version, user_id, organization_id = facts
    return Event(
        number,
        event_id,
        kind,
        time,
        subject,
        wallet_id,
        wallet_version,
        user_id,
        organization_id,
        data,
        data if owner_data is None else owner_data,
    )


def data_schema(name: str, version: int) -> str:
    """The name of the JSON Schema of an event's data: CloudEvents ``dataschema``."""
    return f"urn:wallet:event:{name}:{version}"


class CloudEvents:
    """Writes events as CloudEvents in JSON.

    Args:
        source: CloudEvents ``source``.
        versions: of the schema of each type.
    """

    def __init__(self, source: str, versions: Mapping[str, int]) -> None:
        self._source = source
        self._versions = versions

    def document(self, event: Event, *, for_owner: bool = False) -> bytes:
        """The event as one line of JSON.

        Args:
            event: the event.
            for_owner: for a user, who owns its wallet, rather than for a client.
        """
        attributes: dict[str, Any] = {
            "specversion": "1.0",
            "id": event.event_id,
            "source": self._source,
            "type": event.type,
            "subject": event.subject,
            "time": event.time,
            "datacontenttype": "application/json",
            "dataschema": data_schema(event.type, self._versions.get(event.type, 1)),
            "sequence": str(event.number).zfill(_DIGITS),
        }
        if event.wallet_id is not None:
            attributes["walletid"] = event.wallet_id
        if event.wallet_version is not None:
            # Text: an integer of CloudEvents has 32 bits.
            attributes["walletversion"] = str(event.wallet_version)
        head = json.dumps(attributes, separators=(",", ":")).encode()
        return head[:-1] + b',"data":' + (event.owner_data if for_owner else event.data) + b"}"
