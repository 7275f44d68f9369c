-- A top-up as its readers see it.
create or replace function billing.format_top_up(p_top_up billing.top_ups) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_exponent integer;
begin
  select c.exponent into v_exponent from wallet.currencies c where c.code = p_top_up.currency;
  return (select row_to_json(v)::text from (select
    p_top_up.top_up_id as top_up_id,
    p_top_up.wallet_id as wallet_id,
    p_top_up.currency as currency,
    p_top_up.trigger as trigger,
    p_top_up.state as state,
    wallet.format_amount(p_top_up.amount, v_exponent) as amount,
    p_top_up.payment_method as payment_method,
    p_top_up.payment_id as payment_id,
    case when p_top_up.state in ('completed', 'refunded') then p_top_up.transaction_id end as transaction_id,
    p_top_up.failure as failure,
    p_top_up.reference as reference,
    p_top_up.metadata as metadata,
    wallet.format_time(p_top_up.created_at) as created_at,
    wallet.format_time(p_top_up.started_at) as started_at,
    wallet.format_time(p_top_up.ended_at) as ended_at,
    wallet.format_time(p_top_up.updated_at) as updated_at) v);
end $$;

-- The rule of a wallet as its readers see it.
create or replace function billing.format_top_up_rule(p_rule billing.top_up_rules) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_currency text;
  v_exponent integer;
begin
  select w.currency, c.exponent into v_currency, v_exponent
    from wallet.wallets w join wallet.currencies c on c.code = w.currency where w.wallet_id = p_rule.wallet_id;
  return (select row_to_json(v)::text from (select
    p_rule.wallet_id as wallet_id,
    v_currency as currency,
    p_rule.version as version,
    case when p_rule.paused_until is null then 'active' else 'paused' end as state,
    p_rule.pause_reason as pause_reason,
    case when p_rule.paused_until < 'infinity' then wallet.format_time(p_rule.paused_until) end as resumes_at,
    p_rule.declines as declines,
    wallet.format_amount(p_rule.threshold, v_exponent) as threshold,
    case when p_rule.target is not null then wallet.format_amount(p_rule.target, v_exponent) end as target,
    case when p_rule.amount is not null then wallet.format_amount(p_rule.amount, v_exponent) end as amount,
    p_rule.payment_method as payment_method,
    p_rule.max_charges as max_charges,
    case when p_rule.max_amount is not null then wallet.format_amount(p_rule.max_amount, v_exponent) end as max_amount,
    p_rule.window_s as window_s,
    p_rule.max_declines as max_declines,
    p_rule.backoff_s as backoff_s,
    wallet.format_time(p_rule.created_at) as created_at,
    wallet.format_time(p_rule.updated_at) as updated_at) v);
end $$;

-- Records a change of a top-up as an event and in the audit trail. p_before: null for a new one.
create or replace function billing.record_top_up(p_caller jsonb, p_type text, p_before billing.top_ups, p_after billing.top_ups)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform platform.record_change(p_caller, p_type, p_after.top_up_id::text,
    case when p_before.top_up_id is not null then billing.format_top_up(p_before)::jsonb end, billing.format_top_up(p_after)::jsonb,
    p_after.user_id, p_after.wallet_id);
end $$;

-- The same of a rule; a row that is null, or not set, is no rule.
create or replace function billing.record_top_up_rule(p_caller jsonb, p_type text, p_before billing.top_up_rules,
  p_after billing.top_up_rules) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform platform.record_change(p_caller, p_type, w.wallet_id::text,
      case when p_before.is_set then billing.format_top_up_rule(p_before)::jsonb end,
      case when p_after.is_set then billing.format_top_up_rule(p_after)::jsonb end, w.user_id, w.wallet_id)
    from wallet.wallets w where w.wallet_id = p_after.wallet_id;
end $$;
