-- A wallet's balance now, or as it was at p_at (locked amounts and limits have no history). p_by: posted, or effective: with what
-- was entered later and was effective by then.
create or replace function wallet_api.read_balance_at(p_wallet_id uuid, p_viewer text default null,
  p_at timestamptz default null, p_by text default 'posted') returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  v_wallet record;
  v_version bigint;
  v_balance numeric;
begin
  select w.wallet_id, w.currency, c.exponent, w.balance, w.locked_balance, w.credit_limit, w.last_entry, w.last_posted_at, w.due_at
    into v_wallet
    from wallet.wallets w join wallet.currencies c on c.code = w.currency
    where w.wallet_id = p_wallet_id and (p_viewer is null or w.user_id = p_viewer);
  if not found then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  elsif v_wallet.due_at < 'infinity' and wallet.settle_before_read(p_wallet_id) then
    return wallet_api.read_balance_at(p_wallet_id, p_viewer, p_at, p_by);
  end if;
  if p_at is null and p_by = 'posted' then
    return (select row_to_json(v)::text from (select v_wallet.wallet_id, v_wallet.currency,
      wallet.format_amount(v_wallet.balance, v_wallet.exponent) as balance,
      wallet.format_amount(v_wallet.locked_balance, v_wallet.exponent) as locked_balance,
      wallet.format_amount(v_wallet.balance - v_wallet.locked_balance, v_wallet.exponent) as available_balance,
      wallet.format_amount(v_wallet.credit_limit, v_wallet.exponent) as credit_limit,
      v_wallet.last_entry as wallet_version, null as at) v);
  end if;
  if p_at >= wallet.clock() then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/at', 'must be in the past', 'query'));
  elsif p_at is null then    -- now: all that is posted, but for what is entered ahead
    p_at := greatest(wallet.clock(), v_wallet.last_posted_at);
    v_version := v_wallet.last_entry;
    v_balance := v_wallet.balance;
  else
    -- Before the newest visible posting nothing is added: a posting under way gets no earlier time.
    if p_at >= v_wallet.last_posted_at then
      perform wallet.await_postings(array[p_wallet_id]);
      select w.last_entry into v_wallet.last_entry from wallet.wallets w where w.wallet_id = p_wallet_id;
    end if;
    v_version := wallet.find_version_at(p_wallet_id, p_at, v_wallet.last_entry);
    select t.balance_after into v_balance from wallet.wallet_transactions t
      where t.wallet_id = p_wallet_id and t.wallet_version = v_version;
  end if;
  if p_by = 'effective' then
    select coalesce(v_balance, 0) + coalesce(sum(case s.direction when 'credit' then s.amount else -s.amount end), 0)
      into v_balance from wallet.read_shifted_totals(p_wallet_id, p_at, v_version, v_wallet.last_entry) s;
  end if;
  return (select row_to_json(v)::text from (select v_wallet.wallet_id, v_wallet.currency,
    wallet.format_amount(coalesce(v_balance, 0), v_wallet.exponent) as balance,
    null as locked_balance, null as available_balance, null as credit_limit,
    v_version as wallet_version, wallet.format_time(p_at) as at) v);
end $$;
