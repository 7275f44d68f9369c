-- The steps of a top-up. A job reads which is next, does it, and records how it ended; each function locks the wallet, then the top-up,
-- changes the state only from one that leads there, and can be repeated. No step of another system happens inside a transaction.
--   created   → charging    start_top_up           the charge is about to be sent; from now on always with the same idempotency key
--             → cancelled                          it is not needed any more, or not allowed
--   charging  → charged     record_top_up_payment  the payment has succeeded
--             → pending                            the payment service still decides; a later job looks again
--             → declined                           the payment was refused, or has failed
--   pending   → charged, declined
--   charged   → completed   complete_top_up        the deposit is in the ledger
--             → failed      fail_top_up            the ledger refused it: what was charged must be given back outside
--   declined  → charged     record_top_up_payment  the payment succeeded after all, as a notice said
--   completed → refunded                           the payment was given back outside; nothing is booked

-- The step that is next: {"step": start | charge | look | deposit | end, "top_up", "creator", "transaction_id", "deposit_attempt"}.
create or replace function wallet_api.next_top_up_step(p_top_up_id uuid) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_top_up billing.top_ups := billing.lock_top_up(p_top_up_id);
begin
  if v_top_up.state = 'charged' then
    update billing.top_ups t set deposits_sent = t.deposits_sent + 1 where t.top_up_id = p_top_up_id returning * into v_top_up;
  end if;
  return json_build_object(
    'step', case v_top_up.state when 'created' then 'start' when 'charging' then 'charge' when 'pending' then 'look'
      when 'charged' then 'deposit' else 'end' end,
    'top_up', billing.format_top_up(v_top_up)::json,
    'user_id', v_top_up.user_id,
    -- Of a rule that was set again meanwhile, who set it last.
    'creator', coalesce((select r.creator from billing.top_up_rules r
      where r.wallet_id = v_top_up.wallet_id and r.is_set and v_top_up.trigger = 'rule'), v_top_up.creator),
    'transaction_id', v_top_up.transaction_id,
    'deposit_attempt', v_top_up.deposits_sent)::text;
end $$;

-- Locks a top-up, and its wallet before it.
create or replace function billing.lock_top_up(p_top_up_id uuid) returns billing.top_ups
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_top_up billing.top_ups;
begin
  perform wallet.require_read_committed();
  perform from wallet.wallets w where w.wallet_id = (select t.wallet_id from billing.top_ups t where t.top_up_id = p_top_up_id)
    for no key update;
  select * into v_top_up from billing.top_ups t where t.top_up_id = p_top_up_id;
  if v_top_up.top_up_id is null then
    perform wallet.refuse_call('top_up_not_found', jsonb_build_object('top_up_id', p_top_up_id));
  end if;
  return v_top_up;
end $$;
