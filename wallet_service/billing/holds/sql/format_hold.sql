-- A hold as callers see it, at a moment: one whose end has passed has expired, whether that is recorded or not. Null for a row of nulls.
create or replace function billing.format_hold(p_hold billing.holds, p_now timestamptz, p_exponent integer) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_state constant text := billing.find_hold_state(p_hold, p_now);
  v_rest constant numeric := billing.find_rest(p_hold);
  v_lapsed constant boolean := v_state <> p_hold.state;
begin
  if p_hold.hold_id is null then
    return null;
  end if;
  return (select row_to_json(v)::text from (select
    p_hold.hold_id as hold_id,
    p_hold.wallet_id as wallet_id,
    p_hold.currency as currency,
    v_state as state,
    wallet.format_amount(p_hold.amount, p_exponent) as amount,
    wallet.format_amount(p_hold.authorised, p_exponent) as authorised,
    wallet.format_amount(case when v_lapsed then 0 else v_rest end, p_exponent) as remaining,
    wallet.format_amount(p_hold.captured, p_exponent) as captured,
    wallet.format_amount(p_hold.voided, p_exponent) as voided,
    wallet.format_amount(p_hold.expired + case when v_lapsed then v_rest else 0 end, p_exponent) as expired,
    wallet.format_amount(p_hold.overage, p_exponent) as overage,
    p_hold.counter_account as counter_account,
    wallet.format_time(p_hold.expires_at) as expires_at,
    wallet.format_time(case when v_lapsed then p_hold.expires_at else p_hold.ended_at end) as ended_at,
    p_hold.reference as reference,
    p_hold.metadata as metadata,
    wallet.format_time(p_hold.created_at) as created_at) v);
end $$;

-- The state of a hold at a moment.
create or replace function billing.find_hold_state(p_hold billing.holds, p_now timestamptz) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return case when p_hold.state = 'open' and p_hold.expires_at <= p_now then 'expired' else p_hold.state end;
end $$;
