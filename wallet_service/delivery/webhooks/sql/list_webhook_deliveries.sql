-- A page of an endpoint's deliveries, newest first: a JSON array, and on a line of its own the number after which the next page begins.
-- p_state, p_event_id: only these, if given.
create or replace function wallet_api.list_webhook_deliveries(p_endpoint_id uuid, p_client_id text, p_state text default null,
  p_event_id uuid default null, p_after bigint default null, p_limit integer default 50) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
begin
  perform delivery.find_webhook(p_endpoint_id, p_client_id);
  return (select '[' || coalesce(string_agg(delivery.format_delivery(d), ',' order by d.number desc), '') || ']' || E'\n'
      || coalesce(case when count(*) = p_limit then min(d.number)::text end, '')
    from (
      select f.* from delivery.webhook_deliveries f
      where f.endpoint_id = p_endpoint_id and (p_after is null or f.number < p_after)
        and (p_state is null or f.state = p_state) and (p_event_id is null or f.event_id = p_event_id)
      order by f.number desc limit p_limit
    ) d);
end $$;

-- A delivery with its newest 100 attempts, the first one first.
create or replace function wallet_api.get_webhook_delivery(p_endpoint_id uuid, p_client_id text, p_number bigint) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  v_delivery delivery.webhook_deliveries;
begin
  perform delivery.find_webhook(p_endpoint_id, p_client_id);
  select * into v_delivery from delivery.webhook_deliveries d where d.endpoint_id = p_endpoint_id and d.number = p_number;
  if not found then
    perform wallet.refuse_call('delivery_not_found');
  end if;
  return (select rtrim(delivery.format_delivery(v_delivery), '}') || ',"log":'
    || coalesce(json_agg(json_build_object('attempt', a.attempt, 'attempted_at', wallet.format_time(a.attempted_at),
      'outcome', a.outcome, 'status', a.status, 'error', a.error, 'detail', a.detail, 'body', a.body,
      'duration_ms', a.duration_ms) order by a.attempt)::text, '[]') || '}'
    from (select l.* from delivery.webhook_attempts l where l.endpoint_id = p_endpoint_id and l.number = p_number
      order by l.attempt desc limit 100) a);
end $$;

-- A delivery as the client of its endpoint sees it.
create or replace function delivery.format_delivery(p_delivery delivery.webhook_deliveries) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select row_to_json(d)::text from (select p_delivery.number, p_delivery.event_id, p_delivery.event_type, p_delivery.wallet_id,
    p_delivery.state, p_delivery.attempts,
    case when p_delivery.state = 'pending' then wallet.format_time(p_delivery.due_at) end as due_at,
    wallet.format_time(p_delivery.created_at) as created_at, wallet.format_time(p_delivery.ended_at) as ended_at) d
$$;
