-- Removes deliveries that ended more than p_keep_days days ago, what belonged to endpoints that were deleted, and expired secrets: about
-- p_limit rows. Returns {"deleted","more"}.
create or replace function wallet_api.delete_old_webhook_deliveries(p_keep_days integer, p_limit integer default 1000) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '2s' set enable_seqscan = off set jit = off as $$
declare
  v_before constant timestamptz := wallet.clock() - make_interval(days => p_keep_days);
  v_endpoint_id uuid;
  v_deleted integer;
begin
  perform wallet.require_read_committed();
  delete from delivery.webhook_secrets s where s.expires_at < wallet.clock();
  with ended as materialized (
    select d.endpoint_id, d.number from delivery.webhook_deliveries d
    where d.ended_at < v_before
    order by d.ended_at limit p_limit for update skip locked
  ), old as materialized (
    select n.endpoint_id, n.number from ended n
    union
    (select d.endpoint_id, d.number from delivery.webhook_endpoints e
      join delivery.webhook_deliveries d on d.endpoint_id = e.endpoint_id
      where e.status = 'deleted' limit p_limit)
  ), log as (
    delete from delivery.webhook_attempts a using old o where a.endpoint_id = o.endpoint_id and a.number = o.number
  )
  delete from delivery.webhook_deliveries d using old o where d.endpoint_id = o.endpoint_id and d.number = o.number;
  get diagnostics v_deleted = row_count;
  for v_endpoint_id in select e.endpoint_id from delivery.webhook_endpoints e where e.status = 'deleted'
      and not exists (select from delivery.webhook_deliveries d where d.endpoint_id = e.endpoint_id)
      order by e.endpoint_id limit 100 for update skip locked loop
    delete from delivery.webhook_endpoints e where e.endpoint_id = v_endpoint_id;
  end loop;
  return json_build_object('deleted', v_deleted, 'more', v_deleted >= p_limit)::text;
end $$;

-- Counts for metrics, at most 10,000 each: {"pending","dead","disabled","oldest_due_ms"}. Pending: of active endpoints. oldest_due_ms: how
-- long the delivery that waits longest has been due, of endpoints that do not fail.
create or replace function wallet_api.read_webhook_counts() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with ends as materialized (
    select e.endpoint_id, e.status, e.failing_since from delivery.webhook_endpoints e where e.status <> 'deleted'
  )
  select json_build_object(
    'pending', (select count(*) from (select from ends e join delivery.webhook_deliveries d
      on d.endpoint_id = e.endpoint_id and d.state = 'pending' where e.status = 'active' limit 10000) p),
    'dead', (select count(*) from (select from ends e join delivery.webhook_deliveries d
      on d.endpoint_id = e.endpoint_id and d.state = 'dead' limit 10000) p),
    'disabled', (select count(*) from ends e where e.status = 'disabled'),
    'oldest_due_ms', coalesce((select greatest(ceil(extract(epoch from wallet.clock() - min(f.due_at)) * 1000), 0)::bigint
      from ends e cross join lateral (select d.due_at from delivery.webhook_deliveries d
        where d.endpoint_id = e.endpoint_id and d.state = 'pending' and d.ready order by d.due_at, d.number limit 1) f
      where e.status = 'active' and e.failing_since is null), 0))::text);
end $$;
