-- Brings the counter of a limit to a moment: a period that has ended counts from 0, entries fall out of a rolling window. A moment
-- before what was counted, after the clock was set back, is counted from the ledger.
create or replace function billing.roll_limit(p_limit billing.limit_state, p_at timestamptz) returns billing.limit_state
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if p_limit.period = 'rolling' then
    if p_at - p_limit.span < p_limit.starts_at then
      return billing.count_limit(p_limit, p_at);
    elsif p_at >= p_limit.ends_at then
      p_limit := billing.move_window(p_limit, p_at - p_limit.span);
    end if;
  elsif p_limit.period <> 'transaction' then
    if p_at < p_limit.starts_at then
      return billing.count_limit(p_limit, p_at);
    elsif p_at >= p_limit.ends_at then
      p_limit.used := 0;
      p_limit.starts_at := billing.find_period(p_limit.period, p_limit.time_zone, p_at, 0);
      p_limit.ends_at := billing.find_period(p_limit.period, p_limit.time_zone, p_at, 1);
    end if;
  end if;
  p_limit.rolled_at := p_at;
  return p_limit;
end $$;

-- The counter of a limit at a moment, from the ledger: as many look-ups as a bisection needs, two checkpoints, and few rows.
create or replace function billing.count_limit(p_limit billing.limit_state, p_at timestamptz) returns billing.limit_state
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_from bigint;
begin
  p_limit.rolled_at := p_at;
  if p_limit.period = 'transaction' then
    return p_limit;
  elsif p_limit.period = 'rolling' then
    p_limit.starts_at := p_at - p_limit.span;
    p_limit.tail := wallet.find_version_at(p_limit.wallet_id, p_limit.starts_at, p_limit.last_entry);
    p_limit.ends_at := billing.find_next_fall(p_limit, 'infinity');
    v_from := p_limit.tail;
  else
    p_limit.starts_at := billing.find_period(p_limit.period, p_limit.time_zone, p_at, 0);
    p_limit.ends_at := billing.find_period(p_limit.period, p_limit.time_zone, p_at, 1);
    v_from := wallet.find_version_at(p_limit.wallet_id, p_limit.starts_at - interval '1 microsecond', p_limit.last_entry);
  end if;
  p_limit.used := billing.sum_spent(p_limit.wallet_id, p_limit.counter_account, v_from, p_limit.last_entry, p_limit.last_entry);
  return p_limit;
end $$;

-- Lets the entries that were posted at p_out or before fall out of a rolling window. Few are read in their order; where there are
-- more, the place is found by bisection and their sum from checkpoints.
create or replace function billing.move_window(p_limit billing.limit_state, p_out timestamptz) returns billing.limit_state
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_few constant bigint := 200;
  v_out bigint := p_limit.tail;
  v_fallen numeric := 0;
  v_group record;
begin
  for v_group in select t.direction, t.transaction_type, t.counter_account, count(*) as entries, sum(t.amount) as amount
      from wallet.wallet_transactions t
      where t.wallet_id = p_limit.wallet_id and t.wallet_version > p_limit.tail
        and t.wallet_version <= least(p_limit.tail + c_few, p_limit.last_entry) and t.created_at <= p_out
      group by 1, 2, 3 loop
    v_out := v_out + v_group.entries;
    if v_group.direction = 'debit' and (p_limit.pattern is null or v_group.counter_account like p_limit.pattern)
        and billing.is_spending(v_group.transaction_type) then
      v_fallen := v_fallen + v_group.amount;
    end if;
  end loop;
  if v_out = p_limit.tail + c_few then
    v_out := wallet.find_version_at(p_limit.wallet_id, p_out, p_limit.last_entry);
    v_fallen := billing.sum_spent(p_limit.wallet_id, p_limit.counter_account, p_limit.tail, v_out, p_limit.last_entry);
  end if;
  if v_out > p_limit.tail then
    p_limit.used := p_limit.used - v_fallen;
    p_limit.tail := v_out;
    p_limit.starts_at := p_out;
  end if;
  p_limit.ends_at := billing.find_next_fall(p_limit, case when p_limit.used > 0 then p_out + p_limit.span else 'infinity' end);
  return p_limit;
end $$;

-- When the entry after the tail of a rolling window falls out of it; p_none where the table has none yet.
create or replace function billing.find_next_fall(p_limit billing.limit_state, p_none timestamptz) returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce((select t.created_at + p_limit.span from wallet.wallet_transactions t
    where t.wallet_id = p_limit.wallet_id and t.wallet_version = p_limit.tail + 1), p_none);
end $$;

-- The begin of the calendar period in which a moment is (p_later = 0), or of a later one: midnight in its time zone, the first one
-- where the clocks are set back over it. A week begins on Monday.
create or replace function billing.find_period(p_period text, p_time_zone text, p_at timestamptz, p_later integer)
returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_midnight constant timestamp := date_trunc(p_period, p_at at time zone p_time_zone)
    + case p_period when 'day' then make_interval(days => p_later) when 'week' then make_interval(weeks => p_later)
      else make_interval(months => p_later) end;
  v_begin constant timestamptz := v_midnight at time zone p_time_zone;
  v_before constant timestamptz := v_begin - interval '12 hours';
  -- The same midnight with the offset from UTC that the time zone had half a day before.
  v_first constant timestamptz := v_before + (v_midnight - (v_before at time zone p_time_zone));
begin
  return case when v_first at time zone p_time_zone = v_midnight then least(v_first, v_begin) else v_begin end;
end $$;

-- Whether debits of a type of operations count: what is spent. Not what is taken back: refunds of credits, adjustments, expiry.
create or replace function billing.is_spending(p_type text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce((wallet.find_operation_type(p_type)).form in ('movement', 'transfer', 'entries'), false);
end $$;

-- Whether a limit counts debits against a counter account.
create or replace function billing.is_limited(p_limited text, p_counter_account text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return p_limited is null or p_counter_account like billing.build_pattern(p_limited);
end $$;

-- What the counter accounts are like that a limit counts; null for all. Transfers have wallet:<id>, and in checkpoints wallets.
create or replace function billing.build_pattern(p_limited text) returns text
language sql immutable as $$
  select case p_limited when 'wallets' then 'wallet%' else
    pg_catalog.replace(pg_catalog.replace(p_limited, '_', '\_'), '*', '%') end
$$;

-- What a wallet spent against a counter account (null: any) in the versions after p_from up to p_to: from the entries, or from the
-- checkpoints beside both.
create or replace function billing.sum_spent(p_wallet_id uuid, p_limited text, p_from bigint, p_to bigint, p_last bigint)
returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_few constant bigint := 1000;
begin
  if p_to - p_from > c_few then
    return billing.sum_spent_until(p_wallet_id, p_limited, p_to, p_last)
      - billing.sum_spent_until(p_wallet_id, p_limited, p_from, p_last);
  end if;
  return (select coalesce(sum(s.amount), 0) from (
    select t.transaction_type, t.counter_account, sum(t.amount) as amount from wallet.wallet_transactions t
    where t.wallet_id = p_wallet_id and t.wallet_version > p_from and t.wallet_version <= p_to and t.direction = 'debit'
    group by 1, 2) s
    where billing.is_spending(s.transaction_type) and (p_limited is null or billing.is_limited(p_limited, s.counter_account)));
end $$;

-- The same for the versions 1 … p_version.
create or replace function billing.sum_spent_until(p_wallet_id uuid, p_limited text, p_version bigint, p_last bigint)
returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select coalesce(sum(t.amount), 0) from wallet.read_totals_at(p_wallet_id, p_version, p_last) t
    where t.direction = 'debit' and billing.is_spending(t.transaction_type) and billing.is_limited(p_limited, t.counter_account));
end $$;
