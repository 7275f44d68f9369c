-- Starts the top-ups of the wallets that a call has left at the thresholds of their rules, or below (ledger: open_room_state.sql): after
-- all its operations, so what goes down and up again in one call starts none. The job is enqueued in this transaction. A session that
-- starts a top-up, or changes one, holds the lock of its wallet: so a wallet has one at a time.
create or replace function billing.write_top_ups(p_decided wallet.decided, p_operations wallet.operation[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_touched uuid[];
  v_low record;
begin
  select array_agg(e.wallet_id) into v_touched from unnest(p_decided.decisions) d, unnest(d.entries) e where d.fresh;
  for v_low in
    select a.wallet_id, a.balance - a.locked_balance as available
    from unnest(p_decided.accounts) a join billing.top_up_rules r on r.wallet_id = a.wallet_id
    where (a.marks & 16) <> 0 and a.status = 'active' and a.balance - a.locked_balance <= r.threshold
      and r.is_set and r.paused_until is null and (a.changed or a.wallet_id = any (v_touched))
    order by a.wallet_id
  loop
    perform billing.trigger_top_up(v_low.wallet_id, v_low.available);
  end loop;
end $$;

-- Starts a top-up by the rule of a wallet that the caller has locked, if its available balance is at the threshold or below, none is
-- under way, and the rule may charge; a rule that has reached its limit of charges is paused instead.
create or replace function billing.trigger_top_up(p_wallet_id uuid, p_available numeric) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  c_service constant jsonb := '{"actor": "service"}';
  v_now constant timestamptz := wallet.clock();
  v_rule billing.top_up_rules;
  v_amount numeric;
  v_until timestamptz;
begin
  select * into v_rule from billing.top_up_rules r where r.wallet_id = p_wallet_id;
  if v_rule.is_set is not true or v_rule.paused_until is not null or p_available > v_rule.threshold
      or billing.find_open_top_up(p_wallet_id) is not null then
    return;
  end if;
  v_amount := coalesce(v_rule.amount, v_rule.target - p_available);
  v_until := billing.find_charge_limit(v_rule, v_amount, v_now);
  if v_until is not null then
    perform billing.pause_top_ups(v_rule, 'charge_limit', v_until, c_service);
  else
    perform billing.create_top_up(wallet.new_id(), p_wallet_id, 'rule', v_amount, v_rule.payment_method, null, '{}', v_rule.creator, c_service);
  end if;
end $$;

-- Stores a new top-up of a wallet that the caller has locked, with its job.
create or replace function billing.create_top_up(p_top_up_id uuid, p_wallet_id uuid, p_trigger text, p_amount numeric,
  p_payment_method text, p_reference text, p_metadata jsonb, p_creator jsonb, p_caller jsonb) returns billing.top_ups
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_top_up billing.top_ups;
begin
  insert into billing.top_ups (top_up_id, wallet_id, user_id, currency, trigger, state, amount, payment_method, reference, metadata,
      creator, transaction_id, job_id, created_at, updated_at)
    select p_top_up_id, w.wallet_id, w.user_id, w.currency, p_trigger, 'created', p_amount, p_payment_method, p_reference, p_metadata,
      p_creator, wallet.new_id(), billing.enqueue_top_up(p_top_up_id, null, v_now), v_now, v_now
    from wallet.wallets w where w.wallet_id = p_wallet_id returning * into v_top_up;
  perform billing.record_top_up(p_caller, 'top_up.created', null, v_top_up);
  return v_top_up;
end $$;

-- Enqueues a job that advances a top-up. It belongs to the service: whether its creator may still charge is checked before the charge;
-- what was charged is deposited whatever has become of the creator.
create or replace function billing.enqueue_top_up(p_top_up_id uuid, p_payment_id text, p_due_at timestamptz, p_key text default null)
returns uuid
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  return platform.enqueue_job(wallet.new_id(), 'advance_top_up',
    jsonb_strip_nulls(jsonb_build_object('top_up_id', p_top_up_id, 'payment_id', p_payment_id)), null, p_due_at, p_key);
end $$;

-- The top-up of a wallet that is under way, or null.
create or replace function billing.find_open_top_up(p_wallet_id uuid) returns uuid
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select t.top_up_id from billing.top_ups t
    where t.wallet_id = p_wallet_id and t.state in ('created', 'charging', 'pending', 'charged') limit 1);
end $$;
