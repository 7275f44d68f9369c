-- Checks p_limit deliveries after a place. Returns {checked, next, faults}.
create or replace function wallet_api.verify_webhook_deliveries(p_after_endpoint uuid default null, p_after_number bigint default 0,
  p_limit integer default 2000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select d.* from delivery.webhook_deliveries d
    where (d.endpoint_id, d.number) > (coalesce(p_after_endpoint, '00000000-0000-0000-0000-000000000000'), p_after_number)
    order by d.endpoint_id, d.number limit least(p_limit, 10000)
  ), faults as (
    select p.endpoint_id, p.number, f.name from page p
      join delivery.webhook_endpoints w on w.endpoint_id = p.endpoint_id
      left join delivery.events e on e.number = p.number, lateral (values
      ('webhook order', w.status = 'deleted' or p.state <> 'pending' or p.ready or exists (
        select from delivery.webhook_deliveries h where h.endpoint_id = p.endpoint_id and h.wallet_id = p.wallet_id
          and h.number < p.number and h.state = 'pending' and h.failures < 3)),
      ('webhook events', e.number is null or (p.event_type = coalesce(e.event_type, 'transaction.posted')
        and p.wallet_id is not distinct from e.wallet_id)),
      ('webhook attempts', p.attempts >= p.failures and (p.state <> 'delivered' or exists (
        select from delivery.webhook_attempts a where a.endpoint_id = p.endpoint_id and a.number = p.number
          and a.outcome = 'delivered')))
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after_endpoint', p.endpoint_id, 'after_number', p.number) from page p
      order by p.endpoint_id desc, p.number desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'row', 'webhook ' || f.endpoint_id || ', event '
      || f.number)), '[]') from faults f)
  )::text);
end $$;

-- Checks p_limit endpoints after one. Returns {checked, next, faults}.
create or replace function wallet_api.verify_webhooks(p_after uuid default null, p_limit integer default 1000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select e.* from delivery.webhook_endpoints e where p_after is null or e.endpoint_id > p_after
    order by e.endpoint_id limit least(p_limit, 10000)
  ), faults as (
    select p.endpoint_id, f.name from page p, lateral (values
      ('webhook secrets', (p.status = 'deleted') = not exists (select from delivery.webhook_secrets s
        where s.endpoint_id = p.endpoint_id and s.expires_at is null)),
      ('webhook place', p.after_number <= (select n.last_number from delivery.numbering n))
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.endpoint_id) from page p order by p.endpoint_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'row', 'webhook ' || f.endpoint_id)), '[]') from faults f)
  )::text);
end $$;
