-- Members that rooms add to movements and transfers (Room.posting_members, core/room.py): an operation has them as its terms. For
-- operations without terms none of these functions is called. Where a room declares members, migrate replaces the first three by ones
-- that call its functions:
--   check   (p_operation wallet.operation, p_decision wallet.decision) returns wallet.decision: null, or a refusal. For an operation that
--           would post, dry runs too, and not for one whose key was used before. The wallets are locked; it changes and locks nothing.
--   write   (p_operation wallet.operation, p_entries wallet.wallet_transactions[]) returns void. For an operation that posted, in its
--           transaction: writes tables of the room, and locks no row that another transaction may hold while it waits for a wallet.
create or replace function wallet.list_posting_members() returns text[]
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select '{}'::text[]
$$;

-- Asks the rooms whose members an operation has; the first that refuses ends it.
create or replace function wallet.check_posting_members(p_operation wallet.operation, p_decision wallet.decision)
returns wallet.decision
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select null::wallet.decision
$$;

-- Lets the rooms write the members of an operation that posted.
create or replace function wallet.write_posting_members(p_operation wallet.operation, p_entries wallet.wallet_transactions[])
returns void
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select null::void
$$;

-- The end of step 5 where operations have members. The key keeps them as its answer, so that a request without them, or with others,
-- is not taken for a repetition (recall_decision); a replay shows the posting alone.
create or replace function wallet.keep_posting_members(p_operations wallet.operation[], p_decisions wallet.decision[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_op wallet.operation;
begin
  foreach v_op in array p_operations loop
    if v_op.terms is not null and v_op.form <> 'room' and p_decisions[v_op.ordinal].fresh then
      update wallet.idempotency i set answer = v_op.terms::text
        where i.client_id = v_op.client_id and i.key = v_op.idempotency_key;
      perform wallet.write_posting_members(v_op, p_decisions[v_op.ordinal].entries);
    end if;
  end loop;
end $$;
