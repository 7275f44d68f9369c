"""Each fault put into the kernel is caught by the check that is there for it.

That the kernel itself passes each check is shown by ``test_kernel.py``.
"""

import asyncio
import importlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest
from support.cluster import TEMPLATE, VERSIONS, Cluster, cluster, create_database, drop_database
from support.kernel.harness import CHECKS, Kernel

from wallet_service.platform.database.sql_files import read_sql_files
from wallet_service.rooms import ROOMS

for room in ("forms", "metadata", "keys", "units", "refunds", "locks", "owners", "rows", "entries"):
    importlib.import_module(f"support.kernel.{room}")

pytestmark = pytest.mark.mutants

LONGEST_S = 20


@dataclass(frozen=True)
class Mutant:
    """A fault: texts of a function's file and what stands there instead, and the check that must fail."""

    name: str
    function: str
    caught_by: str
    changes: tuple[tuple[str, str], ...]


def _mutant(name: str, function: str, caught_by: str, *changes: tuple[str, str]) -> Mutant:
    return Mutant(name, function, caught_by, changes)


_AMOUNT = r"'^[0-9]+(\.[0-9]+)?$'"
MUTANTS = [
    _mutant(
        "no-lock",
        "lock_accounts",
        "no_lost_update",
        ("order by w.wallet_id for no key update;", "order by w.wallet_id;"),
        ("for no key update of w skip locked) w;", ") w;"),
    ),
    _mutant(
        "locks-not-sorted",
        "lock_accounts",
        "locks_in_the_order_of_ids",
        (
            "order by w.wallet_id for no key update;",
            "order by w.wallet_id desc for no key update;",
        ),
    ),
    _mutant(
        "no-skip", "lock_accounts", "locked_wallets_are_busy", ("for no key update of w skip locked", "")
    ),
    _mutant(
        "wait-ignored",
        "lock_accounts",
        "waits_and_gives_up",
        ("elsif p_wait_ms > 0 then", "elsif p_wait_ms > 100 then"),
    ),
    _mutant(
        "others-waited-for",
        "lock_accounts",
        "skips_the_others_when_it_waits_for_one",
        ("if p_wait_for is not null then", "if p_wait_for is not null and false then"),
    ),
    _mutant(
        "one-wallet-not-waited-for",
        "lock_accounts",
        "waits_for_one_wallet_and_holds_no_other",
        ("perform wallet.await_account(p_wait_for, p_wait_ms);", "null;"),
    ),
    _mutant(
        "keys-waited-for-long",
        "post_transactions",
        "key_under_way_stops_a_call_briefly",
        ("set lock_timeout = '20ms'", "set lock_timeout = '2s'"),
    ),
    _mutant(
        "waits-in-vain-fails",
        "await_account",
        "gives_up_on_the_one_wallet",
        ("exception when lock_not_available then\n  null;\n", ""),
    ),
    _mutant(
        "busy-names-the-target",
        "resolve_operation",
        "busy_names_the_source_first",
        (
            "foreach v_entry in array v_entries loop\n",
            "for i in reverse cardinality(v_entries) .. 1 loop\n    v_entry := v_entries[i];\n",
        ),
    ),
    _mutant(
        "atomic-busy-names-nothing",
        "revert_decision",
        "locked_wallets_are_busy",
        ("row('busy', null, p_failed.facts,", "row('busy', null, null,"),
    ),
    _mutant(
        "busy-ones-lost",
        "resolve_operation",
        "locked_wallets_are_busy",
        ("if v_account.status = 'busy' or p_op", "if p_op"),
    ),
    _mutant(
        "busy-one-of-several-lost",
        "resolve_operation",
        "locked_wallets_are_busy",
        ("if v_account.status = 'busy' or v_original", "if v_original"),
    ),
    _mutant(
        "original-not-locked",
        "resolve_operation",
        "original_posted_meanwhile",
        ("v_original is not null and v_account.wallet_id is null", "false"),
    ),
    _mutant(
        "other-wallet-of-the-original-not-locked",
        "resolve_operation",
        "transfer_posted_meanwhile",
        ("v_account.wallet_id is null", "v_entry = v_entries[1] and v_account.wallet_id is null"),
    ),
    _mutant(
        "user-mints",
        "refuse_accounts",
        "acting_user",
        ("and not (case when v_mirrored", "and false and not (case when v_mirrored"),
    ),
    _mutant(
        "keys-not-sorted",
        "claim_keys",
        "keys_in_their_order",
        ("order by o.client_id, o.idempotency_key\n", "order by o.client_id, o.idempotency_key desc\n"),
    ),
    _mutant(
        "claim-not-looked-at",
        "claim_keys",
        "same_key_fifty_at_once",
        ("coalesce(v_op.transaction_id = any (v_inserted), false)", "true"),
    ),
    _mutant(
        "claim-removed",
        "claim_keys",
        "key_under_way_is_waited_for",
        ("o where o.claims\n", "o where false\n"),
        ("coalesce(v_op.transaction_id = any (v_inserted), false)", "true"),
    ),
    _mutant(
        "hash-not-compared",
        "recall_decision",
        "same_key_other_request",
        ("or v_spent.request_hash <> p_op.request_hash and", "or false and"),
    ),
    _mutant(
        "hash-not-compared-in-call",
        "recall_decision",
        "same_key_in_one_call",
        ("if p_winner.request_hash <> p_op.request_hash\n", "if false\n"),
    ),
    _mutant(
        "wallets-key-is-ours",
        "recall_decision",
        "key_of_a_wallet",
        ("v_spent.kind <> 'posting'\n      or ", ""),
    ),
    _mutant(
        "tombstone-not-read",
        "recall_decision",
        "late_first_attempt",
        ("elsif p_op.transaction_id = any (p_known.superseded) and", "elsif false and"),
    ),
    _mutant(
        "same-attempt-decided-again",
        "is_superseded",
        "late_first_attempt",
        ("(d.attempt, d.sending) >= (p_op", "(d.attempt, d.sending) > (p_op"),
    ),
    _mutant(
        "later-attempt-refused",
        "is_superseded",
        "a_later_attempt_is_decided_again",
        ("\n    and (d.attempt, d.sending) >= (p_op.attempt, p_op.sending)", ""),
    ),
    _mutant(
        "overtaken-in-call",
        "decide_operations",
        "attempts_in_one_call",
        ("case when v_refused_unit < v_op.unit then", "case when false then"),
    ),
    _mutant(
        "later-attempt-overtaken",
        "refuse_overtaken",
        "attempts_in_one_call",
        ("\n        and (o.attempt, o.sending) >= (p_op.attempt, p_op.sending)", ""),
    ),
    _mutant(
        "other-request-is-the-same",
        "is_same_request",
        "same_key_other_request",
        ("    and p_op.metadata = v_first.metadata\n", ""),
    ),
    _mutant(
        "any-part-is-all-that-was-left",
        "is_same_request",
        "replay_of_a_refund_without_amount",
        ("coalesce(v_amount = v_first.amount", "coalesce(v_amount >= v_first.amount"),
    ),
    _mutant(
        "id-reused",
        "recall_decision",
        "transaction_id_reused",
        ("elsif p_op.transaction_id = any (p_known.posted) then", "elsif false then"),
    ),
    _mutant(
        "id-reused-in-call",
        "read_operations",
        "transaction_id_reused",
        ("if v_ops[v_found].leader <> v_op.leader then", "if false then"),
    ),
    _mutant(
        "one-key-of-a-slot-looked-at",
        "read_operations",
        "same_keys_and_ids_among_many_in_one_call",
        ("v_found := v_before_key[v_found];", "v_found := null;"),
    ),
    _mutant(
        "one-id-of-a-slot-looked-at",
        "read_operations",
        "same_keys_and_ids_among_many_in_one_call",
        ("v_found := v_before_named[v_found];", "v_found := null;"),
    ),
    _mutant(
        "keys-of-clients-mixed",
        "read_operations",
        "same_keys_and_ids_among_many_in_one_call",
        ("\n            or v_ops[v_found].client_id <> v_op.client_id", ""),
    ),
    _mutant(
        "tombstone-not-written",
        "settle_tombstones",
        "late_first_attempt",
        ("where o.resent and not", "where false and not"),
    ),
    _mutant(
        "tombstone-not-raised",
        "settle_tombstones",
        "a_later_attempt_is_decided_again",
        ("do update set attempt = excluded.attempt", "do update set attempt = d.attempt"),
    ),
    _mutant(
        "tombstone-of-a-posting-kept",
        "settle_tombstones",
        "a_later_attempt_is_decided_again",
        ("p_decisions[o.ordinal].fresh and", "false and"),
    ),
    _mutant(
        "tombstone-of-dry-run",
        "settle_tombstones",
        "dry_run_keeps_nothing",
        ("o.resent and not o.dry_run and", "o.resent and"),
    ),
    _mutant(
        "tombstone-of-posted",
        "settle_tombstones",
        "transaction_id_reused",
        (
            "and not exists (select from wallet.wallet_transactions t",
            "and not exists (select from wallet.tombstones t",
        ),
    ),
    _mutant(
        "claim-of-refused-kept",
        "settle_claims",
        "refusals_do_not_spend_the_key",
        ("having not bool_or(p_decisions[o.ordinal].fresh)", "having false"),
    ),
    _mutant(
        "claim-not-handed-over",
        "settle_claims",
        "claim_is_handed_over",
        ("and not o.claims and", "and false and"),
    ),
    _mutant(
        "owner-not-found-again",
        "resolve_operation",
        "owners_wallet_moves_while_it_is_waited_for",
        ("or p_op.by_owner\n", "or false\n"),
    ),
    _mutant(
        "primary-ignored", "find_wallet", "owners_wallet_is_the_primary_one", ("w.is_primary desc, ", "")
    ),
    _mutant(
        "closed-one-found",
        "find_wallet",
        "owners_wallet_is_the_primary_one",
        (" and w.status <> 'closed'", ""),
    ),
    _mutant(
        "owners-key-ignored",
        "find_wallet",
        "owners_key_is_the_wallets",
        ("if p_key is not null then", "if false then"),
    ),
    _mutant(
        "another-owners-wallet",
        "read_operation",
        "owner_without_a_wallet",
        ("coalesce(f.acting_user_id = v_owner ->> 'user_id', true)", "true"),
    ),
    _mutant(
        "refund-sum-dropped",
        "resolve_operation",
        "full_and_partial",
        ("where t.original_transaction_id = p_op.original_transaction_id and t.leg = 0", "where false"),
    ),
    _mutant(
        "refund-sum-of-call-dropped",
        "resolve_operation",
        "exceeding_in_one_call",
        (
            "where d.fresh and d.entries[1].original_transaction_id = p_op.original_transaction_id",
            "where false",
        ),
    ),
    _mutant(
        "refund-of-refund",
        "refuse_refund",
        "of_a_refund",
        (
            "elsif (wallet.find_operation_type(v_first.transaction_type)).refundable is not true then",
            "elsif false then",
        ),
    ),
    _mutant(
        "refund-entry-by-entry",
        "add_later_entries",
        "what_is_left_of_a_payment_pays_for_its_refund",
        ("if p_entries[i].wallet_id = p_account.wallet_id then", "if false then"),
    ),
    _mutant(
        "refund-of-an-undeclared-type",
        "refuse_refund",
        "of_a_type_that_is_declared_no_more",
        (".refundable is not true then", ".refundable = false then"),
    ),
    _mutant(
        "refund-too-fine",
        "resolve_operation",
        "full_and_partial",
        ("trim_scale(v_original[1].amount - v_refunded)", "v_original[1].amount - v_refunded"),
    ),
    _mutant("clock-of-transaction", "clock", "clock_is_read_after_the_locks", ("clock_timestamp()", "now()")),
    _mutant(
        "time-runs-back",
        "decide_operation",
        "time_never_runs_backwards",
        ("greatest(v_at, v_account.last_posted_at)", "v_at"),
    ),
    _mutant(
        "nan-let-through",
        "read_amount",
        "bad_amounts",
        (_AMOUNT, r"'^([0-9]+(\.[0-9]+)?|NaN)$'"),
        (" and v_amount < 1e20", ""),
    ),
    _mutant(
        "endless-digits",
        "read_amount",
        "bad_amounts",
        ("length(split_part(p_text, '.', 2)) > 38", "false"),
    ),
    _mutant("zero-let-through", "read_amount", "bad_amounts", ("v_amount > 0", "v_amount >= 0")),
    _mutant(
        "version-skipped",
        "build_entry",
        "versions_and_balances",
        ("p_account.last_entry + 1", "p_account.last_entry + 2"),
    ),
    _mutant("credit-limit-ignored", "check_movement", "funds", (" + p_account.credit_limit", "")),
    _mutant("locked-ignored", "check_movement", "funds", (" - p_account.locked_balance", "")),
    _mutant(
        "funds-not-checked",
        "check_movement",
        "funds",
        ("elsif v_available + p_amount < 0 then", "elsif false then"),
    ),
    _mutant(
        "frozen-not-checked",
        "check_movement",
        "closed_and_frozen",
        ("elsif p_account.status = 'frozen' then", "elsif false then"),
    ),
    _mutant(
        "closed-not-checked",
        "check_movement",
        "closed_and_frozen",
        ("if p_account.status = 'closed' then", "if false then"),
    ),
    _mutant(
        "balance-limit-dropped",
        "check_movement",
        "balance_limit",
        ("if p_account.balance + p_amount >= 1e20 then", "if false then"),
    ),
    _mutant(
        "precision-dropped",
        "refuse_accounts",
        "precision_of_the_currency",
        (
            "if scale(coalesce(p_entries[i].amount, p_op.balance)) > p_accounts[i].exponent then",
            "if false then",
        ),
    ),
    _mutant(
        "stranger-debits",
        "refuse_accounts",
        "acting_user",
        (
            "or v_account.user_id <> p_op.acting_user_id and (i = 1",
            "or v_account.user_id <> p_op.acting_user_id and (i = 0",
        ),
    ),
    _mutant(
        "same-wallet",
        "refuse_accounts",
        "no_such_wallet",
        ("elsif i = 1 and p_op.to_wallet_id = p_op.wallet_id then", "elsif false then"),
    ),
    _mutant(
        "currencies-mixed",
        "refuse_accounts",
        "no_such_wallet",
        (
            "elsif p_op.form = 'transfer' and v_account.currency <> p_accounts[1].currency then",
            "elsif false then",
        ),
    ),
    _mutant(
        "transfer-makes-money",
        "resolve_operation",
        "answer_is_the_row",
        (
            "row(p_op.to_wallet_id, p_op.amount, 'wallet:'",
            "row(p_op.to_wallet_id, p_op.amount + 1, 'wallet:'",
        ),
    ),
    _mutant(
        "entries-make-money",
        "refuse_pairs",
        "entries_between_wallets_agree",
        ("if v_sum <> 0 or not v_agree then", "if not v_agree then"),
    ),
    _mutant(
        "entries-mix-currencies",
        "refuse_pairs",
        "entries_between_wallets_agree",
        ("if v_sum <> 0 or not v_agree then", "if v_sum <> 0 then"),
    ),
    _mutant(
        "second-entry-forgets-the-first",
        "decide_operation",
        "an_exchange_with_its_fee",
        ("if v_rows[k].wallet_id = v_entry.wallet_id then", "if false then"),
    ),
    _mutant(
        "entries-not-locked",
        "lock_accounts",
        "an_exchange_with_its_fee",
        ("if v_op.form = 'entries' then", "if false then"),
    ),
    _mutant(
        "part-of-a-payment-refunded",
        "refuse_refund",
        "a_payment_is_refunded_as_a_whole",
        ("or wallet.is_reversed_whole(p_original) and v_amount <> v_first.amount then", "then"),
    ),
    _mutant(
        "record-refused-for-funds",
        "check_movement",
        "a_mirrored_wallet_is_a_record",
        ("elsif p_account.keeping = 'mirrored' then", "elsif false then"),
    ),
    _mutant(
        "record-mixed-with-money",
        "refuse_accounts",
        "a_mirrored_wallet_is_a_record",
        ("or v_account.keeping <> p_accounts[1].keeping then", "then"),
    ),
    _mutant(
        "another-users-record-written",
        "refuse_accounts",
        "users_write_their_own_records_and_mint_nothing",
        ("and (i = 1 or p_op.form <> 'transfer' or v_mirrored) then", "and i = 1 then"),
    ),
    _mutant(
        "adjusted-by-nothing",
        "decide_operation",
        "adjusted_to_a_balance_or_by_an_amount",
        ("if v_entry.amount = 0 then", "if false then"),
    ),
    _mutant(
        "balances-not-restored",
        "decide_operations",
        "later_units_see_what_was_before",
        ("p_accounts := v_saved;", ""),
    ),
    _mutant(
        "winners-not-restored",
        "decide_operations",
        "later_units_see_what_was_before",
        ("case when v_index < v_first then v_index end", "v_index"),
    ),
    _mutant(
        "dry-run-written", "revert_decision", "dry_run_keeps_nothing", ("p_decision.fresh := false;", "")
    ),
    _mutant(
        "checkpoint-off-by-one",
        "write_checkpoint",
        "checkpoints_are_sums",
        ("t.wallet_version > p_version - 1000", "t.wallet_version >= p_version - 1000"),
    ),
    _mutant("checkpoint-late", "write_postings", "checkpoints_are_sums", ("% 1000 = 0", "% 1000 = 1")),
    _mutant(
        "other-sides-balance-shown",
        "format_entry",
        "acting_user",
        ("p_entry.user_id <> p_viewer", "false"),
    ),
    _mutant(
        "any-isolation",
        "require_read_committed",
        "other_isolation_is_refused",
        ("if current_setting('transaction_isolation') <> 'read committed' then", "if false then"),
    ),
    _mutant(
        "wrong-types-read",
        "find_operation_fault",
        "bad_members",
        ('@.type() != "string" &&', '@.type() != "string" && @.type() != "number" &&'),
    ),
    _mutant(
        "strangers-read",
        "find_operation_fault",
        "bad_members",
        ("if v_texts - c_texts <> '{}'\n      or ", "if "),
    ),
    _mutant(
        "dashes-not-looked-at",
        "is_uuid",
        "bad_members",
        ("p_text like '________-____-____-____-____________'", "length(p_text) > 30"),
    ),
    _mutant(
        "long-numbers-in-metadata",
        "find_metadata_fault",
        "a_long_number_in_metadata_refuses_a_wallet_and_its_change",
        ("length(n::text) > 464", "false"),
        ("end) > 64)", "end) > 6400)"),
    ),
    _mutant(
        "wallet-written-with-what-it-had",
        "decide_operations",
        "versions_and_balances",
        ("p_accounts[v_index].balance := v_entry.balance_after;", ""),
    ),
]


def _mutated(mutant: Mutant) -> str:
    (sql,) = (file.sql for file in read_sql_files(ROOMS).functions if file.name == mutant.function)
    for old, new in mutant.changes:
        assert sql.count(old) == 1, (
            f"{mutant.name} no longer applies: {old!r} is there {sql.count(old)} times"
        )
        sql = sql.replace(old, new)
    return sql


@asynccontextmanager
async def _kernel_of_its_own(server: Cluster, sql: str) -> AsyncIterator[Kernel]:
    name = f"mutant_{secrets.token_hex(8)}"
    await create_database(server, name, template=TEMPLATE)
    kernel = await Kernel.open(server.dsn(name), connections=60)
    try:
        async with kernel.pool.acquire() as connection, connection.transaction():
            await connection.execute("set local role wallet_owner")
            await connection.execute(sql)
        yield kernel
    finally:
        await kernel.close()
        await drop_database(server, name)


@pytest.fixture(scope="module")
async def newest() -> Cluster:
    return await cluster(VERSIONS[0])


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
async def test_is_caught(newest: Cluster, mutant: Mutant) -> None:
    async with _kernel_of_its_own(newest, _mutated(mutant)) as kernel:
        with pytest.raises((AssertionError, asyncpg.PostgresError)) as caught:
            async with asyncio.timeout(LONGEST_S):
                await CHECKS[mutant.caught_by](kernel)
    # A mutant that can't run at all shows nothing of the check.
    assert str(getattr(caught.value, "sqlstate", ""))[:2] not in {"42", "XX"}, caught.value
