-- What a wallet spent in the last hour, day and week, and when its available balance would be empty at that rate. Spent: debits against
-- revenue and expense accounts, less what refunds gave back of such in the window. Totals are those of statistics: a checkpoint and
-- fewer than 1,000 entries at each bound.
create or replace function wallet_api.read_burn_rate(p_wallet_id uuid, p_viewer text default null) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
  v_wallet wallet.wallets;
  v_now timestamptz;
begin
  perform billing.check_alert_reader(p_wallet_id, p_viewer);
  select * into v_wallet from wallet.wallets w where w.wallet_id = p_wallet_id;
  v_now := greatest(wallet.clock(), v_wallet.last_posted_at);
  return (select row_to_json(v)::text from (select v_wallet.wallet_id, v_wallet.currency, wallet.format_time(v_now) as at,
    wallet.format_amount(v_wallet.balance - v_wallet.locked_balance, billing.find_exponent(v_wallet.currency)) as available_balance,
    (select json_agg(billing.format_burn(v_wallet, s.name, s.length, v_now) order by s.length)
      from (values ('1h', interval '1 hour'), ('24h', interval '24 hours'), ('7d', interval '168 hours')) s (name, length)) as windows) v);
end $$;

-- One window of a burn rate. A wallet that is younger than the window is measured from its creation, over at least a minute.
create or replace function billing.format_burn(p_wallet wallet.wallets, p_name text, p_length interval, p_now timestamptz) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_longest constant numeric := 315360000;    -- ten years
  v_exponent constant integer := billing.find_exponent(p_wallet.currency);
  v_from constant timestamptz := greatest(p_now - p_length, least(p_wallet.created_at, p_now - interval '1 minute'));
  v_seconds constant numeric := extract(epoch from p_now - v_from);
  v_available constant numeric := p_wallet.balance - p_wallet.locked_balance;
  v_then constant bigint := case when v_from > p_now - p_length then 0
    else wallet.find_version_at(p_wallet.wallet_id, v_from, p_wallet.last_entry) end;
  v_spent numeric;
  v_refunded numeric;
  v_left numeric;     -- seconds
begin
  select coalesce(sum(n.sign * t.amount) filter (where t.direction = 'debit' and billing.is_spending(t.transaction_type)), 0),
      coalesce(sum(n.sign * t.amount) filter (where t.direction = 'credit' and t.transaction_type = 'refund'), 0)
    into v_spent, v_refunded
    from (values (1, p_wallet.last_entry), (-1, v_then)) n (sign, version)
      cross join lateral wallet.read_totals_at(p_wallet.wallet_id, n.version, p_wallet.last_entry) t
    where left(t.counter_account, 8) in ('revenue:', 'expense:');
  v_left := case when v_available <= 0 then 0 when v_spent > v_refunded then v_available * v_seconds / (v_spent - v_refunded) end;
  return (select row_to_json(v) from (select p_name as "window", wallet.format_time(v_from) as "from",
    wallet.format_amount(v_spent, v_exponent) as spent, wallet.format_amount(v_refunded, v_exponent) as refunded,
    wallet.format_amount(greatest(0, v_spent - v_refunded) * 86400 / v_seconds, v_exponent) as per_day,
    case when v_left <= c_longest then wallet.format_time(p_now + make_interval(secs => v_left::double precision)) end as runs_out_at) v);
end $$;
