"""A burn rate as a text."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_NAMES = {"1h": "hour", "24h": "24 hours", "7d": "7 days"}


def burn_rate_text(document: Mapping[str, Any]) -> str:
    """A burn rate for people: one line for each window, such as "at the pace of the last hour empty on Tuesday"."""
    currency: str = document["currency"]
    lines = [f"Wallet {document['wallet_id']} has {document['available_balance']} {currency} available."]
    for each in document["windows"]:
        pace = f"At the pace of the last {_NAMES[each['window']]} ({each['per_day']} {currency} a day)"
        if each["runs_out_at"] is None:
            lines.append(f"{pace}: not empty within ten years.")
        elif each["runs_out_at"] == document["at"]:
            lines.append(f"{pace}: empty now.")
        else:
            moment = datetime.fromisoformat(each["runs_out_at"])
            lines.append(f"{pace}: empty on {moment:%A, %Y-%m-%d at %H:%M} UTC.")
    return "\n".join(lines) + "\n"
