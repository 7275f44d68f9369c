-- An event as its readers see it, with its rating.
create or replace function billing.format_usage(p_operation wallet.operation, p_event billing.usage_events, p_card billing.rate_cards,
  p_price jsonb, p_rated billing.usage_price, p_before numeric, p_account wallet.account, p_now timestamptz) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return json_build_object(
    'usage_id', p_event.usage_id,
    'wallet_id', p_event.wallet_id,
    'user_id', p_event.user_id,
    'meter', p_event.meter,
    'quantity', trim_scale(p_event.quantity)::text,
    'dimensions', p_event.dimensions,
    'timestamp', wallet.format_time(p_event.used_at),
    'source', nullif(p_event.source, ''),
    'event_id', p_event.event_id,
    'currency', p_account.currency,
    'amount', wallet.format_amount(p_event.amount, p_account.exponent),
    'transaction_id', case when p_event.amount <> 0 and not p_operation.dry_run then p_event.usage_id end,
    'counter_account', p_card.counter_account,
    'rating', json_build_object(
      'rate_card_id', p_event.rate_card_id,
      'version', p_event.rate_version,
      'model', p_price ->> 'model',
      'dimensions', p_event.price_dimensions,
      'day', p_event.day::text,
      'month', to_char(p_event.day, 'YYYY-MM'),
      'quantity_before', trim_scale(p_before)::text,
      'included', trim_scale(p_rated.included)::text,
      'unit_price', trim_scale(p_rated.unit_price)::text,
      'exact_amount', trim_scale(p_rated.exact)::text,
      'lines', p_rated.lines),
    'dry_run', p_operation.dry_run,
    'created_at', wallet.format_time(greatest(p_now, p_account.last_posted_at)))::text;
end $$;
