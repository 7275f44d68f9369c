-- A grant as callers see it, at a moment; null for a row of nulls.
create or replace function billing.format_grant(p_grant billing.grants, p_now timestamptz) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_exponent integer;
begin
  if p_grant.grant_id is null then
    return null;
  end if;
  select c.exponent into v_exponent from wallet.currencies c where c.code = p_grant.currency;
  return (select row_to_json(v)::text from (select
    p_grant.grant_id as grant_id,
    p_grant.wallet_id as wallet_id,
    p_grant.currency as currency,
    p_grant.source as source,
    billing.find_grant_state(p_grant, p_now) as state,
    p_grant.priority as priority,
    wallet.format_amount(p_grant.amount, v_exponent) as amount,
    wallet.format_amount(p_grant.remaining, v_exponent) as remaining,
    wallet.format_amount(p_grant.reserved, v_exponent) as reserved,
    wallet.format_amount(p_grant.used, v_exponent) as used,
    wallet.format_amount(p_grant.overdrawn, v_exponent) as overdrawn,
    wallet.format_amount(p_grant.expired, v_exponent) as expired,
    wallet.format_amount(p_grant.voided, v_exponent) as voided,
    wallet.format_time(p_grant.effective_at) as effective_at,
    case when p_grant.expires_at < 'infinity' then wallet.format_time(p_grant.expires_at) end as expires_at,
    p_grant.transaction_id as transaction_id,
    p_grant.counter_account as counter_account,
    p_grant.pays as pays,
    p_grant.is_transferable as is_transferable,
    trim_scale(p_grant.unit_cost)::text as unit_cost,
    p_grant.cost_currency as cost_currency,
    p_grant.refund_grace_s as refund_grace_s,
    p_grant.original_grant_id as original_grant_id,
    p_grant.schedule_id as schedule_id,
    case when p_grant.carried_from is not null then wallet.format_time(p_grant.carried_from) end as carried_from,
    p_grant.void_reason as void_reason,
    p_grant.reference as reference,
    p_grant.metadata as metadata,
    wallet.format_time(p_grant.created_at) as created_at) v);
end $$;

-- The state of a grant at a moment: scheduled, active, used (nothing remains), expired or voided.
create or replace function billing.find_grant_state(p_grant billing.grants, p_now timestamptz) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return case
    when p_grant.ended is not null then p_grant.ended
    when p_grant.expires_at <= p_now and p_grant.remaining > 0 then 'expired'
    when p_grant.transaction_id is null and p_grant.effective_at > p_now then 'scheduled'
    when p_grant.remaining = 0 then 'used'
    else 'active' end;
end $$;
