-- Creates an alert of a wallet, once for each key: {"status":"created"|"replayed","alert":{…}}. Safe to repeat. p_alert: name, amount
-- or percent, hysteresis. It is one of the owner with p_user_id, else of the operator. It has the state of the balance as it is:
-- nothing was crossed, so there is no event of a crossing.
create or replace function wallet_api.create_alert(p_alert_id uuid, p_client_id text, p_key text, p_request_hash text,
  p_wallet_id uuid, p_user_id text, p_alert jsonb, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  c_most constant integer := 20;
  v_set_by constant text := case when p_user_id is null then 'operator' else 'owner' end;
  v_spent record;
  v_wallet wallet.wallets;
  v_alert billing.alerts;
  v_answer text;
begin
  perform wallet.require_read_committed();
  v_spent := platform.spend_key(p_client_id, p_key, 'create_alert', p_alert_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    return '{"status":"' || v_spent.status || '","alert":' || v_spent.response || '}';
  end if;
  v_wallet := billing.lock_settled(p_wallet_id, p_user_id);
  if not exists (select from billing.alerts l where l.alert_id = p_alert_id) then
    if (select count(*) from billing.alerts l where l.wallet_id = p_wallet_id and l.set_by = v_set_by) >= c_most then
      perform wallet.refuse_call('alert_limit', jsonb_build_object('wallet_id', p_wallet_id, 'set_by', v_set_by, 'limit', c_most));
    end if;
    v_alert.alert_id := p_alert_id;
    v_alert.wallet_id := p_wallet_id;
    v_alert.user_id := v_wallet.user_id;
    v_alert.currency := v_wallet.currency;
    v_alert.set_by := v_set_by;
    v_alert.state := 'ok';
    v_alert.version := 1;
    v_alert.created_at := wallet.clock();
    v_alert.updated_at := v_alert.created_at;
    v_alert := billing.define_alert(v_alert, p_alert, v_wallet);
    insert into billing.alerts select v_alert.*;
    update wallet.wallets w set marks = w.marks | 8 where w.wallet_id = p_wallet_id;
    perform billing.record_alert(p_caller, 'alert.created', null, v_alert);
  end if;
  select billing.format_alert(l, billing.find_exponent(l.currency))::text into v_answer from billing.alerts l where l.alert_id = p_alert_id;
  perform platform.keep_response(p_client_id, p_key, v_answer);
  return '{"status":"created","alert":' || v_answer || '}';
end $$;

-- Locks a wallet for a change of its alerts, and lets take effect what is due on it.
create or replace function billing.lock_settled(p_wallet_id uuid, p_user_id text) returns wallet.wallets
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_wallet wallet.wallets := wallet.lock_wallet(p_wallet_id, p_user_id, null);
begin
  if wallet.settle_before_read(p_wallet_id) then
    select * into v_wallet from wallet.wallets w where w.wallet_id = p_wallet_id;
  end if;
  return v_wallet;
end $$;

-- An alert with other members, and the state that it has with them.
create or replace function billing.define_alert(p_alert billing.alerts, p_changes jsonb, p_wallet wallet.wallets)
returns billing.alerts
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_exponent constant integer := billing.find_exponent(p_wallet.currency);
  v_was_percent constant boolean := p_alert.percent is not null;
  v_fault text[] := billing.find_alert_fault(p_alert, p_changes);
begin
  if v_fault is not null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault(v_fault[1], v_fault[2]));
  end if;
  p_alert.name := coalesce(p_changes ->> 'name', p_alert.name, '');
  if p_changes ?| array['amount', 'percent'] then
    p_alert.amount := billing.read_not_negative(p_changes ->> 'amount');
    p_alert.percent := billing.read_not_negative(p_changes ->> 'percent');
  end if;
  p_alert.hysteresis := case when p_changes ? 'hysteresis' then billing.read_not_negative(p_changes ->> 'hysteresis')
    when v_was_percent <> (p_alert.percent is not null) then 0 else coalesce(p_alert.hysteresis, 0) end;
  if p_alert.percent is null and scale(trim_scale(greatest(p_alert.amount, 0))) > v_exponent
      or p_alert.percent is null and scale(trim_scale(p_alert.hysteresis)) > v_exponent then
    perform wallet.refuse_call('amount_precision', jsonb_build_object('currency', p_wallet.currency, 'exponent', v_exponent));
  end if;
  p_alert.granted := case when p_alert.percent is null then null else coalesce(p_alert.granted, billing.find_granted_now(p_wallet)) end;
  return billing.place_alert(p_alert, v_exponent, p_wallet.balance - p_wallet.locked_balance);
end $$;

-- What is wrong with the members of an alert, as member and message; null if nothing is.
create or replace function billing.find_alert_fault(p_alert billing.alerts, p_changes jsonb) returns text[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_percent constant numeric := billing.read_not_negative(p_changes ->> 'percent');
  v_hysteresis constant numeric := billing.read_not_negative(p_changes ->> 'hysteresis');
  v_is_percent constant boolean := p_changes ? 'percent' or p_alert.percent is not null and not p_changes ? 'amount';
begin
  return case
    when p_changes ?& array['amount', 'percent'] then array['/percent', 'amount or percent is given, not both']
    when not p_changes ?| array['amount', 'percent'] and p_alert.amount is null and p_alert.percent is null
      then array['/amount', 'amount or percent must be given']
    when p_changes ? 'amount' and billing.read_not_negative(p_changes ->> 'amount') is null
      then array['/amount', 'must be a decimal number of at most 20 digits before the point, 0 or more']
    when p_changes ? 'percent' and (v_percent is null or v_percent > 100 or scale(trim_scale(v_percent)) > 4)
      then array['/percent', 'must be from 0 to 100, with at most 4 decimals']
    when p_changes ? 'hysteresis' and v_hysteresis is null
      then array['/hysteresis', 'must be a decimal number of at most 20 digits before the point, 0 or more']
    when p_changes ? 'hysteresis' and v_is_percent and (v_hysteresis > 100 or scale(trim_scale(v_hysteresis)) > 4)
      then array['/hysteresis', 'of a percentage must be from 0 to 100 points, with at most 4 decimals']
    when length(p_changes ->> 'name') > 255 or p_changes ->> 'name' ~ '[\u0001-\u001f\u007f-\u009f]'
      then array['/name', 'must be at most 255 characters without control characters']
  end;
end $$;

-- A number as the caller wrote it, 0 or more; null for anything else.
create or replace function billing.read_not_negative(p_text text) returns numeric
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return case when p_text ~ '^0+(\.0+)?$' then 0::numeric else wallet.read_amount(p_text) end;
end $$;

-- What a percentage is of, for a new alert: the balance with what was used of the grants that last; without grants, the balance after
-- the last credit that is no refund, as far as it is among the last 1,000 entries; otherwise the balance.
create or replace function billing.find_granted_now(p_wallet wallet.wallets) returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_entries constant integer := 1000;
  v_used constant numeric := (select sum(g.used + g.overdrawn) from billing.grants g
    where g.wallet_id = p_wallet.wallet_id and g.is_live and g.ended is null and g.transaction_id is not null);
begin
  return greatest(0, coalesce(p_wallet.balance + v_used, (select t.balance_after from wallet.wallet_transactions t
    where t.wallet_id = p_wallet.wallet_id and t.wallet_version > p_wallet.last_entry - c_entries
      and t.direction = 'credit' and t.transaction_type <> 'refund'
    order by t.wallet_version desc limit 1), p_wallet.balance));
end $$;

-- Records a change of an alert by a caller.
create or replace function billing.record_alert(p_caller jsonb, p_type text, p_before billing.alerts, p_after billing.alerts) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_some constant billing.alerts := coalesce(p_after, p_before);
  v_exponent constant integer := billing.find_exponent(v_some.currency);
begin
  perform platform.record_change(p_caller, p_type, v_some.alert_id::text,
    case when p_before.alert_id is not null then billing.format_alert(p_before, v_exponent)::jsonb end,
    case when p_after.alert_id is not null then billing.format_alert(p_after, v_exponent)::jsonb end, v_some.user_id, v_some.wallet_id);
end $$;
