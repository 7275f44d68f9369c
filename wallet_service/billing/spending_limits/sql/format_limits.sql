-- The limits of a wallet as their readers see them, at a moment; without p_at as events have them, without counters.
create or replace function billing.format_limits(p_wallet wallet.wallets, p_at timestamptz default null) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_exponent integer;
  v_set billing.limit_sets;
begin
  select c.exponent into v_exponent from wallet.currencies c where c.code = p_wallet.currency;
  select * into v_set from billing.limit_sets s where s.wallet_id = p_wallet.wallet_id;
  return (select row_to_json(v)::text from (select
    p_wallet.wallet_id as wallet_id,
    p_wallet.currency as currency,
    coalesce(v_set.version, 0) as version,
    case when v_set.updated_at is not null then wallet.format_time(v_set.updated_at) end as updated_at,
    coalesce((select json_agg(billing.format_limit(l, p_wallet, v_exponent, p_at) order by l.set_by = 'owner', l.place)
      from billing.spending_limits l where l.wallet_id = p_wallet.wallet_id), '[]') as limits) v);
end $$;

-- A limit as its readers see it.
create or replace function billing.format_limit(p_limit billing.spending_limits, p_wallet wallet.wallets, p_exponent integer,
  p_at timestamptz) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_some constant numeric := 1e-18;
  v_now billing.limit_state;
  v_reserved numeric := 0;
  v_counter json;
begin
  if p_at is not null then
    v_now := billing.read_limit(p_limit, p_wallet.last_entry, p_exponent, p_at);
    if p_limit.period <> 'transaction' then
      v_reserved := billing.sum_held(p_wallet.wallet_id, p_wallet.locked_balance, p_limit.counter_account);
    end if;
    v_counter := json_build_object(
      'used', wallet.format_amount(v_now.used, p_exponent),
      'reserved', wallet.format_amount(v_reserved, p_exponent),
      'remaining', wallet.format_amount(greatest(0, p_limit.amount - v_now.used - v_reserved), p_exponent),
      'starts_at', case p_limit.period when 'transaction' then null when 'rolling' then wallet.format_time(p_at - v_now.span)
        else wallet.format_time(v_now.starts_at) end,
      'resets_at', case when p_limit.period in ('day', 'week', 'month') or v_now.used > 0
        then wallet.format_time(billing.find_reset(v_now, c_some, p_at)) end);
  end if;
  return (select json_object_agg(m.key, m.value) from (
    select * from json_each(json_build_object(
      'limit_id', p_limit.limit_id, 'set_by', p_limit.set_by, 'period', p_limit.period, 'time_zone', p_limit.time_zone,
      'window_s', p_limit.window_s, 'counter_account', p_limit.counter_account,
      'amount', wallet.format_amount(p_limit.amount, p_exponent)))
    union all select * from json_each(v_counter)
    union all select * from json_each(json_build_object(
      'created_at', wallet.format_time(p_limit.created_at), 'updated_at', wallet.format_time(p_limit.updated_at)))) m);
end $$;
