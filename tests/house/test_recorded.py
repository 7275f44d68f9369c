"""A change leaves an event and an audit entry, and a read of others' data by the operator an audit entry.

A function of ``wallet_api`` that writes to a table calls ``platform.record_change``, or is an exception. A path that
reads data of a wallet or user is declared by its room (``Room.recorded_reads``), or is an exception.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from fastapi.routing import APIRoute
from support.settings import make_settings

from wallet_service.rooms import ROOMS
from wallet_service.runtime.application import create_app

SERVICE = Path(__file__).parents[2] / "wallet_service"
HEAD = re.compile(r"create or replace function ((?:[a-z_]+)\.(?:\w+))\s*\(")
WRITES = re.compile(r"\b(?:insert into|update|delete from)\s+(?:only\s+)?[a-z_]+\.\w+", re.IGNORECASE)

RECORDED_OTHERWISE: Mapping[str, str] = {
    "wallet_api.post_transactions": "what it writes is the ledger: entries name their client, and are events",
    "wallet_api.catalogue_book": "it gives entries the parts that they have by default, which is no change of a caller",
    "wallet_api.create_quote": "a price that ends after a minute; a conversion by it is a posting",
    "wallet_api.set_rate_ages": "a copy of settings, for SQL",
    "wallet_api.record_rate_feed": "what the provider answered last; new rates are recorded by load_rates",
    "wallet_api.redate_parts": "a run that the change of the book names; runs keep who made them",
    "wallet_api.settle_due": "it posts, and rooms record what took effect themselves",
    "wallet_api.get_wallet": "it only lets what was due take effect before",
    "wallet_api.read_balance_at": "the same",
    "wallet_api.read_explanation": "the same",
    "wallet_api.get_grant": "the same",
    "wallet_api.list_grants": "the same",
    "wallet_api.get_alert": "the same",
    "wallet_api.list_alerts": "the same",
    "wallet_api.read_burn_rate": "the same",
    "wallet_api.get_grant_schedule": "the same",
    "wallet_api.list_grant_schedules": "the same",
    "wallet_api.get_hold": "the same",
    "wallet_api.list_holds": "the same",
    "wallet_api.get_limits": "the same",
    "wallet_api.get_credits": "the same",
    "wallet_api.get_top_up_rule": "the same",
    "wallet_api.next_top_up_step": "counts attempts of a deposit; the changes of a top-up have functions of their own",
    "wallet_api.take_payment_notice": "wakes a job, which records what it finds",
    "wallet_api.wake_top_ups": "the same",
    "wallet_api.begin_file": "nothing is visible before complete_file, which records the file",
    "wallet_api.write_file_chunk": "a part of an upload, which complete_file records",
    "wallet_api.replace_sealed_chunk": "the same content under another key; record_rotation records the rotation",
    "wallet_api.replace_sealed_webhook_secret": "the same secret under another key; record_rotation records it",
    "wallet_api.release_webhook_deliveries": "gives back what a worker has not sent",
    "wallet_api.delete_old_webhook_deliveries": "retention of the log of deliveries",
    "wallet_api.number_events": "gives committed events their numbers",
    "wallet_api.delete_old_events": "retention of events; the audit trail has its own",
    **dict.fromkeys(
        (
            "wallet_api.add_job",
            "wallet_api.complete_job",
            "wallet_api.delete_finished_jobs",
            "wallet_api.renew_leases",
            "wallet_api.schedule_job",
            "wallet_api.set_job_schedules",
        ),
        "the service's own work; what a person changes of a job, and its failure, is recorded",
    ),
    "wallet_api.record_privileged_read": "it writes an entry of the audit trail itself",
}
"""Functions that write, and call no record_change in all cases."""

READS_NO_PERSON: Mapping[str, str] = {
    "list_currencies": "currencies",
    "convert_amount": "a price; what the rates of a book are is read by list_rates",
    "list_meters": "meters",
    "get_meter": "a meter",
    "list_rate_cards": "rate cards",
    "get_rate_card": "a rate card",
    "get_rate_version": "a version of a rate card",
    "service_stats": "sums over all users",
    "billing_summary_of_period": "sums over all users",
    "read_trial_balance": "sums over all users",
    "list_files": "the caller's own files",
    "read_file": "the caller's own file",
    "download_file": "the caller's own file",
    "read_test_clock": "a clock",
    "list_event_types": "types of events",
    "list_webhooks": "the client's own endpoints",
    "get_webhook": "the client's own endpoint",
    "list_webhook_deliveries": "how events reached the client's own endpoint, without their data",
    "get_webhook_delivery": "the same",
}
"""Routes that need a caller, and read no data of a person that is not the caller."""


def bodies() -> dict[str, str]:
    """The functions of all rooms, without comments."""
    found: dict[str, str] = {}
    for path in SERVICE.rglob("sql/*.sql"):
        text = re.sub(r"--[^\n]*", "", path.read_text())
        _, *parts = HEAD.split(text)
        found |= dict(zip(parts[::2], parts[1::2], strict=True))
    return found


CALL = re.compile(r"\b([a-z_]+\.\w+)\s*\(")


def reached(name: str, calls: Mapping[str, set[str]]) -> set[str]:
    """The function, and those that it calls, directly or not."""
    found, pending = set[str](), [name]
    while pending:
        each = pending.pop()
        if each not in found:
            found.add(each)
            pending += calls[each]
    return found


def test_each_function_that_changes_something_records_it() -> None:
    functions = bodies()
    direct = {name: set(CALL.findall(text)) & functions.keys() for name, text in functions.items()}
    calls = {name: reached(name, direct) for name in functions if name.startswith("wallet_api.")}
    writing = {
        name for name, called in calls.items() if any(WRITES.search(functions[each]) for each in called)
    }
    silent = {name for name in writing if "platform.record_change" not in calls[name]}
    assert "wallet_api.update_wallet" in writing - silent
    assert silent == RECORDED_OTHERWISE.keys() - {"wallet_api.begin_file"}
    # It removes what has expired, which is recorded, so that only its own part is the exception.
    assert "wallet_api.begin_file" in writing
    without_caller = {name for name in writing - silent if "p_caller" not in functions[name]}
    assert without_caller == {
        "wallet_api.begin_file",
        "wallet_api.check_budgets",
        "wallet_api.delete_expired_files",
        "wallet_api.claim_jobs",
        "wallet_api.fail_job",
        "wallet_api.pause_job",
        "wallet_api.release_job",
        "wallet_api.claim_webhook_deliveries",
        "wallet_api.report_webhook_attempt",
        "wallet_api.spread_webhook_events",
    }  # the service itself


def test_each_read_of_a_persons_data_is_declared() -> None:
    declared = {name for room in ROOMS for name in room.recorded_reads}
    app = create_app(make_settings(), "postgresql://unused@127.0.0.1:1/none")
    reads = {
        route.name
        for route in app.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and route.path.startswith("/api/")
    }
    assert declared - {"test_rule"} <= reads  # test_rule shows entries, and has a body
    assert reads - declared == READS_NO_PERSON.keys()
