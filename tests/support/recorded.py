"""What was recorded of changes, with and without a number: a running application numbers events at any time."""

_COLUMNS = "event_id, event_type, object_id, user_id, wallet_id, before, after"

EVENTS = f"""(
  select {_COLUMNS} from platform.outbox where event_type is not null
  union all
  select {_COLUMNS} from delivery.events where event_type is not null
) as recorded"""
"""A table expression with the events of changes."""
