-- Replaces the limits that one side has set for a wallet: those of the owner with p_user_id, else those of the operator. p_version:
-- of the set, as the caller read it, or null. p_limits: array of {period, time_zone, window_s, counter_account, amount}. A limit that
-- was there keeps its id and its counter, also when its amount changes; a new one counts what the ledger has of its period.
create or replace function wallet_api.replace_limits(p_wallet_id uuid, p_user_id text, p_version bigint, p_limits jsonb,
  p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_set_by constant text := case when p_user_id is null then 'operator' else 'owner' end;
  v_wallet wallet.wallets := wallet.lock_wallet(p_wallet_id, p_user_id, null);
  v_now constant timestamptz := greatest(wallet.clock(), v_wallet.last_posted_at);
  v_before constant jsonb := billing.format_limits(v_wallet);
  v_wanted billing.spending_limits[];
begin
  if v_wallet.keeping = 'mirrored' and jsonb_array_length(p_limits) > 0 then
    perform wallet.refuse_call('wallet_mirrored', jsonb_build_object('wallet_id', p_wallet_id));
  elsif (v_before ->> 'version')::bigint <> p_version then
    perform wallet.refuse_call('version_mismatch', jsonb_build_object('version', v_before -> 'version'));
  end if;
  v_wanted := billing.read_limits(p_limits, v_wallet, v_set_by, v_now);
  if billing.store_limits(v_wanted, v_wallet, v_set_by, v_now) then
    insert into billing.limit_sets as s (wallet_id, version, updated_at) values (p_wallet_id, 1, v_now)
      on conflict (wallet_id) do update set version = s.version + 1, updated_at = excluded.updated_at;
    update wallet.wallets w set marks = case when exists (select from billing.spending_limits l where l.wallet_id = p_wallet_id)
        then w.marks | 4 else w.marks & ~4 end
      where w.wallet_id = p_wallet_id;
    perform platform.record_change(p_caller, 'limits.updated', p_wallet_id::text, v_before, billing.format_limits(v_wallet)::jsonb,
      v_wallet.user_id, p_wallet_id);
  end if;
  return billing.format_limits(v_wallet, v_now);
end $$;

-- Reads limits as a caller wrote them; refuses the call where one is not a limit, or there twice.
create or replace function billing.read_limits(p_limits jsonb, p_wallet wallet.wallets, p_set_by text, p_now timestamptz)
returns billing.spending_limits[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_most constant integer := 20;
  v_exponent constant integer := (select c.exponent from wallet.currencies c where c.code = p_wallet.currency);
  v_given jsonb;
  v_place integer := 0;
  v_limit billing.spending_limits;
  v_limits billing.spending_limits[] := '{}';
  v_fault text[];
begin
  if jsonb_array_length(p_limits) > c_most then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/limits', format('at most %s limits', c_most)));
  end if;
  for v_given in select e.value from jsonb_array_elements(p_limits) with ordinality e order by e.ordinality loop
    v_place := v_place + 1;
    v_limit := row(wallet.new_id(), p_wallet.wallet_id, p_set_by, v_place, v_given ->> 'period',
      case when v_given ->> 'period' in ('day', 'week', 'month') then coalesce(v_given ->> 'time_zone', 'UTC') end,
      (v_given ->> 'window_s')::integer, v_given ->> 'counter_account',
      case when v_given ->> 'amount' ~ '^0+(\.0+)?$' then 0::numeric else wallet.read_amount(v_given ->> 'amount') end,
      0, '-infinity', 'infinity', 0, p_now, p_now)::billing.spending_limits;
    v_fault := billing.find_limit_fault(v_limit, v_given, v_limits);
    if v_fault is not null then
      perform wallet.refuse_call('validation_failed',
        wallet.build_fault(format('/limits/%s%s', v_place - 1, v_fault[1]), v_fault[2]));
    elsif scale(trim_scale(v_limit.amount)) > v_exponent then
      perform wallet.refuse_call('amount_precision', jsonb_build_object('currency', p_wallet.currency, 'exponent', v_exponent));
    end if;
    v_limits := v_limits || v_limit;
  end loop;
  return v_limits;
end $$;

-- What is wrong with a limit, as member and message; null if nothing is. p_others: those before it.
create or replace function billing.find_limit_fault(p_limit billing.spending_limits, p_given jsonb,
  p_others billing.spending_limits[]) returns text[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return case
    when coalesce(p_limit.period, '') not in ('transaction', 'day', 'week', 'month', 'rolling')
      then array['/period', 'must be transaction, day, week, month or rolling']
    when p_limit.amount is null then array['/amount', 'must be a decimal number of at most 20 digits before the point, 0 or more']
    when p_limit.period = 'rolling' and coalesce(p_limit.window_s, 0) not between 60 and 31622400
      then array['/window_s', 'a rolling limit has one from 60 (a minute) to 31622400 (366 days)']
    when p_limit.period <> 'rolling' and p_limit.window_s is not null then array['/window_s', 'only a rolling limit has one']
    when p_limit.time_zone is null and p_given ->> 'time_zone' is not null
      then array['/time_zone', 'only a limit per day, week or month has one']
    when p_limit.time_zone is not null and not wallet.is_time_zone(p_limit.time_zone)
      then array['/time_zone', 'must be a name of the IANA time zone database, such as Europe/Berlin']
    when p_limit.counter_account is not null and not billing.is_limitable(p_limit.counter_account)
      then array['/counter_account', 'must be a counter account such as revenue:usage, one with a * at its end such as revenue:usage:* for '
        'all that begin like it, or wallets for transfers']
    when exists (select from unnest(p_others) o where billing.is_same_limit(o, p_limit))
      then array['', 'there is a limit with the same period, time zone, window and counter account before it']
  end;
end $$;

-- Whether two limits of a side count the same.
create or replace function billing.is_same_limit(p_one billing.spending_limits, p_other billing.spending_limits) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return p_one.period = p_other.period and p_one.time_zone is not distinct from p_other.time_zone
    and p_one.window_s is not distinct from p_other.window_s and p_one.counter_account is not distinct from p_other.counter_account;
end $$;

-- Whether a limit may name this as what it counts.
create or replace function billing.is_limitable(p_account text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return p_account = 'wallets' or left(p_account, 9) <> 'mirrored:'
    and (wallet.is_counter_account(p_account) or right(p_account, 1) = '*' and wallet.is_counter_account(left(p_account, -1) || 'x'));
end $$;

-- Makes the limits of one side those that are wanted. Whether anything changed.
create or replace function billing.store_limits(p_wanted billing.spending_limits[], p_wallet wallet.wallets, p_set_by text,
  p_now timestamptz) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_limit billing.spending_limits;
  v_old billing.spending_limits;
  v_counter billing.limit_state;
  v_changed boolean;
begin
  delete from billing.spending_limits l where l.wallet_id = p_wallet.wallet_id and l.set_by = p_set_by
    and not exists (select from unnest(p_wanted) n where billing.is_same_limit(n, l));
  v_changed := found;
  foreach v_limit in array p_wanted loop
    select * into v_old from billing.spending_limits l
      where l.wallet_id = p_wallet.wallet_id and l.set_by = p_set_by and billing.is_same_limit(l, v_limit);
    if not found then
      v_counter := billing.read_limit(v_limit, p_wallet.last_entry, null, '-infinity');
      v_counter := billing.count_limit(v_counter, p_now);
      v_limit.used := v_counter.used;
      v_limit.starts_at := v_counter.starts_at;
      v_limit.ends_at := v_counter.ends_at;
      v_limit.tail := v_counter.tail;
      insert into billing.spending_limits select v_limit.*;
      v_changed := true;
    elsif (v_old.amount, v_old.place) <> (v_limit.amount, v_limit.place) then
      update billing.spending_limits l set amount = v_limit.amount, place = v_limit.place,
          updated_at = case when l.amount = v_limit.amount then l.updated_at else p_now end
        where l.limit_id = v_old.limit_id;
      v_changed := true;
    end if;
  end loop;
  return v_changed;
end $$;
