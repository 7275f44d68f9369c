-- An event as its readers see it, with its rating. The values are in the order of the types.
create or replace function billing.format_usage(p_operation wallet.operation, p_event billing.usage_events, p_counter_account text,
  p_price jsonb, p_rated billing.usage_price, p_before numeric, p_account wallet.account, p_now timestamptz) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return row_to_json(row(
    p_event.usage_id, p_event.wallet_id, p_event.user_id, p_event.meter, trim_scale(p_event.quantity)::text, p_event.dimensions,
    wallet.format_time(p_event.used_at), nullif(p_event.source, ''), p_event.event_id, p_account.currency,
    wallet.format_amount(p_event.amount, p_account.exponent),
    case when p_event.amount <> 0 and not p_operation.dry_run then p_event.usage_id end, p_counter_account,
    row(p_event.rate_card_id, p_event.rate_version, p_price ->> 'model', p_event.price_dimensions, p_event.day::text,
      to_char(p_event.day, 'YYYY-MM'), trim_scale(p_before)::text, trim_scale(p_rated.included)::text,
      trim_scale(p_rated.unit_price)::text, trim_scale(p_rated.exact)::text, p_rated.lines)::billing.shown_rating,
    p_operation.dry_run, wallet.format_time(greatest(p_now, p_account.last_posted_at)))::billing.shown_usage)::text;
end $$;
