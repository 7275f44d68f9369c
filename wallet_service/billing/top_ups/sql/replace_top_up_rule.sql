-- Sets the rule of a wallet, in place of the one that it has; a pause and the count of declines end. p_version: of the rule, as the
-- caller read it, or null; 0: there is none. p_rule: {threshold, target or amount, payment_method, max_charges, max_amount, window_s,
-- max_declines, backoff_s}. p_creator: as platform.enqueue_job. A wallet that is at the threshold, or below, is topped up at once.
create or replace function wallet_api.replace_top_up_rule(p_wallet_id uuid, p_version bigint, p_rule jsonb, p_creator jsonb,
  p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_wallet wallet.wallets := wallet.lock_wallet(p_wallet_id, null, null);
  v_now constant timestamptz := wallet.clock();
  v_before billing.top_up_rules;
  v_rule billing.top_up_rules;
begin
  select * into v_before from billing.top_up_rules r where r.wallet_id = p_wallet_id;
  perform billing.check_rule_version(v_before, p_version);
  if v_wallet.keeping = 'mirrored' then
    perform wallet.refuse_call('wallet_mirrored', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  v_rule := billing.read_top_up_rule(p_rule, v_wallet);
  insert into billing.top_up_rules as r (wallet_id, is_set, version, threshold, target, amount, payment_method, max_charges, max_amount,
      window_s, max_declines, backoff_s, creator, created_at, updated_at)
    values (p_wallet_id, true, 1, v_rule.threshold, v_rule.target, v_rule.amount, v_rule.payment_method, v_rule.max_charges,
      v_rule.max_amount, v_rule.window_s, v_rule.max_declines, v_rule.backoff_s, p_creator, v_now, v_now)
    on conflict (wallet_id) do update set is_set = true, version = r.version + 1, threshold = excluded.threshold,
      target = excluded.target, amount = excluded.amount, payment_method = excluded.payment_method, max_charges = excluded.max_charges,
      max_amount = excluded.max_amount, window_s = excluded.window_s, max_declines = excluded.max_declines,
      backoff_s = excluded.backoff_s, declines = 0, pause_reason = null, paused_until = null, creator = excluded.creator,
      created_at = case when r.is_set then r.created_at else excluded.created_at end, updated_at = excluded.updated_at
    returning * into v_rule;
  update wallet.wallets w set marks = w.marks | 16 where w.wallet_id = p_wallet_id;
  if v_before.is_set then
    perform billing.record_top_up_rule(p_caller, 'top_up_rule.updated', v_before, v_rule);
  else
    perform billing.record_top_up_rule(p_caller, 'top_up_rule.created', null, v_rule);
  end if;
  if v_wallet.status = 'active' then
    perform billing.trigger_top_up(p_wallet_id, v_wallet.balance - v_wallet.locked_balance);
    select * into v_rule from billing.top_up_rules r where r.wallet_id = p_wallet_id;
  end if;
  return billing.format_top_up_rule(v_rule);
end $$;

-- Deletes the rule of a wallet. A top-up that it started and that has not begun to charge is cancelled when its job looks at it.
create or replace function wallet_api.delete_top_up_rule(p_wallet_id uuid, p_version bigint, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_before billing.top_up_rules;
  v_rule billing.top_up_rules;
begin
  perform wallet.require_read_committed();
  perform from wallet.wallets w where w.wallet_id = p_wallet_id for no key update;
  if not found then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  select * into v_before from billing.top_up_rules r where r.wallet_id = p_wallet_id;
  if v_before.is_set is not true then
    perform wallet.refuse_call('top_up_rule_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  perform billing.check_rule_version(v_before, p_version);
  update billing.top_up_rules r set is_set = false, version = r.version + 1, pause_reason = null, paused_until = null,
      updated_at = wallet.clock()
    where r.wallet_id = p_wallet_id returning * into v_rule;
  update wallet.wallets w set marks = w.marks & ~16 where w.wallet_id = p_wallet_id;
  perform billing.record_top_up_rule(p_caller, 'top_up_rule.deleted', v_before, v_rule);
  return 'true';
end $$;

-- Refuses a change of another version of a rule than the caller read.
create or replace function billing.check_rule_version(p_rule billing.top_up_rules, p_version bigint) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_present constant bigint := case when p_rule.is_set then p_rule.version else 0 end;
begin
  if p_version <> v_present then
    perform wallet.refuse_call('version_mismatch', jsonb_build_object('version', v_present));
  end if;
end $$;

-- Reads a rule as a caller wrote it; refuses the call where it is none of this wallet's currency.
create or replace function billing.read_top_up_rule(p_rule jsonb, p_wallet wallet.wallets) returns billing.top_up_rules
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_exponent constant integer := (select c.exponent from wallet.currencies c where c.code = p_wallet.currency);
  v_rule billing.top_up_rules;
  v_fault text[];
begin
  v_rule.threshold := case when p_rule ->> 'threshold' ~ '^0+(\.0+)?$' then 0 else wallet.read_amount(p_rule ->> 'threshold') end;
  v_rule.target := wallet.read_amount(p_rule ->> 'target');
  v_rule.amount := wallet.read_amount(p_rule ->> 'amount');
  v_rule.max_amount := wallet.read_amount(p_rule ->> 'max_amount');
  v_rule.payment_method := p_rule ->> 'payment_method';
  v_rule.max_charges := (p_rule ->> 'max_charges')::smallint;
  v_rule.window_s := (p_rule ->> 'window_s')::integer;
  v_rule.max_declines := (p_rule ->> 'max_declines')::smallint;
  v_rule.backoff_s := (p_rule ->> 'backoff_s')::integer;
  v_fault := billing.find_rule_fault(v_rule);
  if v_fault is not null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault(v_fault[1], v_fault[2]));
  elsif greatest(scale(trim_scale(v_rule.threshold)), scale(trim_scale(v_rule.target)), scale(trim_scale(v_rule.amount)),
      scale(trim_scale(v_rule.max_amount))) > v_exponent then
    perform wallet.refuse_call('amount_precision', jsonb_build_object('currency', p_wallet.currency, 'exponent', v_exponent));
  end if;
  return v_rule;
end $$;

-- What is wrong with a rule, as pointer and message; null if nothing is.
create or replace function billing.find_rule_fault(p_rule billing.top_up_rules) returns text[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return case
    when p_rule.threshold is null then array['/threshold', 'must be a decimal number of at most 20 digits before the point, 0 or more']
    when (p_rule.target is null) = (p_rule.amount is null)
      then array['', 'has a target, which each top-up reaches, or an amount, which each top-up is: one of them']
    when p_rule.target <= p_rule.threshold then array['/target', 'must be more than the threshold']
    when p_rule.amount > p_rule.max_amount then array['/max_amount', 'must be at least the amount of one top-up']
    when p_rule.target - p_rule.threshold > p_rule.max_amount
      then array['/max_amount', 'must be at least what is missing from the threshold to the target']
    when p_rule.payment_method is null or length(p_rule.payment_method) not between 1 and 255
      then array['/payment_method', 'must have 1 to 255 characters']
    when (p_rule.max_charges between 1 and 100) is not true then array['/max_charges', 'must be from 1 to 100']
    when (p_rule.window_s between 60 and 31622400) is not true
      then array['/window_s', 'must be from 60 (a minute) to 31622400 (366 days)']
    when (p_rule.max_declines between 1 and 100) is not true then array['/max_declines', 'must be from 1 to 100']
    when (p_rule.backoff_s between 1 and 86400) is not true then array['/backoff_s', 'must be from 1 to 86400 (a day)']
  end;
end $$;
