"""The explanation of a balance as a text."""

from collections.abc import Mapping
from typing import Any


def explanation_text(document: Mapping[str, Any]) -> str:
    """The explanation of a balance for people: one line for each thing, with amounts in the wallet's currency."""
    currency: str = document["currency"]
    lines = [
        f"Wallet {document['wallet_id']} at {document['at']}",
        "",
        f"{document['opening_balance']:>24} {currency}  opening balance"
        + (f" at {document['from']}" if document["from"] else ""),
    ]
    for each in document["movements"]:
        sign = "+" if each["direction"] == "credit" else "-"
        times = "1 entry" if each["transactions"] == 1 else f"{each['transactions']} entries"
        lines.append(
            f"{sign + each['amount']:>24} {currency}  {each['transaction_type']}, {each['counter_account']}, {times}"
        )
    lines.append(f"{document['balance']:>24} {currency}  balance")
    if document["grants"]:
        lines += ["", "Of the balance:"]
        lines += [_grant_line(each, currency) for each in document["grants"]]
        lines.append(f"{document['not_granted']:>24} {currency}  not granted")
    if document["holds"]:
        lines += ["", "Kept by open holds:"]
        lines += [_hold_line(each, currency) for each in document["holds"]]
        lines.append(f"{document['available_balance']:>24} {currency}  available")
    if document["next_expiry"] is not None:
        expiry = document["next_expiry"]
        lines += ["", f"Next expiry: {expiry['amount']} {currency} at {expiry['at']}"]
    if document["limits"]:
        lines += ["", "Left to spend:"]
        lines += [_limit_line(each, currency) for each in document["limits"]]
    if document["last_changes"]:
        lines += ["", "Last changes:"]
        lines += [_change_line(each, currency) for each in document["last_changes"]]
    if document["last_updates"]:
        lines += ["", "Last changes of its settings:"]
        lines += [_update_line(each) for each in document["last_updates"]]
    return "\n".join(lines) + "\n"


def _grant_line(grant: Mapping[str, Any], currency: str) -> str:
    end = f"ends {grant['expires_at']}" if grant["expires_at"] else "does not end"
    pays = f", pays {', '.join(grant['pays'])}" if grant["pays"] else ""
    state = f", begins {grant['effective_at']}" if grant["state"] == "scheduled" else ""
    return f"{grant['remaining']:>24} {currency}  {grant['source']} of {grant['amount']}, {end}{pays}{state}"


def _change_line(change: Mapping[str, Any], currency: str) -> str:
    sign = "+" if change["direction"] == "credit" else "-"
    by = f" by {change['client_id']}" if change["client_id"] else ""
    return (
        f"{sign + change['amount']:>24} {currency}  {change['at']}  {change['transaction_type']},"
        f" {change['counter_account']}{by}"
    )


_PERIODS = {"day": "a day", "week": "a week", "month": "a month"}


def _limit_line(limit: Mapping[str, Any], currency: str) -> str:
    if limit["period"] == "transaction":
        per = "in one transaction"
    elif limit["period"] == "rolling":
        per = f"in {limit['window_s']} s"
    else:
        per = f"{_PERIODS[limit['period']]} ({limit['time_zone']})"
    account = f" for {limit['counter_account']}" if limit["counter_account"] else ""
    resets = f", resets at {limit['resets_at']}" if limit["resets_at"] else ""
    rest = f"of {limit['amount']} {per}{account}, set by the {limit['set_by']}{resets}"
    return f"{limit['remaining']:>24} {currency}  {rest}"


def _update_line(update: Mapping[str, Any]) -> str:
    by = f" by {update['actor']}" if update["actor"] else ""
    members = f": {', '.join(update['changed'])}" if update["changed"] else ""
    return f"  {update['at']}  {update['action']}{by}{members}"


def _hold_line(hold: Mapping[str, Any], currency: str) -> str:
    name = f" {hold['reference']}" if hold["reference"] else ""
    end = f"ends {hold['expires_at']}"
    return f"{hold['remaining']:>24} {currency}  hold{name} of {hold['authorised']} for {hold['counter_account']}, {end}"
