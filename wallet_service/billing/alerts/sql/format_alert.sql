-- An alert as callers see it.
create or replace function billing.format_alert(p_alert billing.alerts, p_exponent integer) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v) from (select
    p_alert.alert_id as alert_id,
    p_alert.wallet_id as wallet_id,
    p_alert.currency as currency,
    p_alert.set_by as set_by,
    p_alert.name as name,
    wallet.format_amount(p_alert.amount, p_exponent) as amount,
    trim_scale(p_alert.percent)::text as percent,
    case when p_alert.percent is null then wallet.format_amount(p_alert.hysteresis, p_exponent)
      else trim_scale(p_alert.hysteresis)::text end as hysteresis,
    p_alert.state as state,
    wallet.format_amount(billing.find_threshold(p_alert, p_exponent, 0), p_exponent) as threshold,
    wallet.format_amount(billing.find_threshold(p_alert, p_exponent, p_alert.hysteresis), p_exponent) as recovery,
    wallet.format_amount(p_alert.granted, p_exponent) as granted,
    case when p_alert.crossed_at is not null then wallet.format_time(p_alert.crossed_at) end as crossed_at,
    wallet.format_amount(p_alert.crossed_balance, p_exponent) as crossed_balance,
    p_alert.transaction_id as transaction_id,
    p_alert.version as version,
    wallet.format_time(p_alert.created_at) as created_at,
    wallet.format_time(p_alert.updated_at) as updated_at) v);
end $$;

-- The decimals of a currency.
create or replace function billing.find_exponent(p_currency text) returns integer
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select c.exponent from wallet.currencies c where c.code = p_currency);
end $$;
