-- What waits for numbers: {waiting, oldest_s}: how many rows, at most 10,000, and the age of the first one in seconds.
create or replace function wallet_api.read_outbox() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (select json_build_object(
    'waiting', (select count(*) from (select from platform.outbox limit 10000) w),
    'oldest_s', coalesce((select greatest(extract(epoch from wallet.clock() - delivery.find_outbox_time(o)), 0)
      from platform.outbox o order by o.sequence limit 1), 0))::text);
end $$;

-- When what a row of the outbox records happened.
create or replace function delivery.find_outbox_time(p_row platform.outbox) returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce(p_row.occurred_at, (select t.created_at from wallet.wallet_transactions t
    where t.wallet_id = p_row.wallet_ids[1] and t.wallet_version = p_row.wallet_versions[1]));
end $$;
