-- An endpoint of a client.
create or replace function wallet_api.get_webhook(p_endpoint_id uuid, p_client_id text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return delivery.format_webhook(delivery.find_webhook(p_endpoint_id, p_client_id));
end $$;

-- A page of the client's endpoints, newest first: a JSON array, and on a line of its own the id after which the next page begins.
create or replace function wallet_api.list_webhooks(p_client_id text, p_after uuid default null, p_limit integer default 50)
returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select '[' || coalesce(string_agg(delivery.format_webhook(e), ',' order by e.endpoint_id desc), '') || ']' || E'\n'
    || coalesce(case when count(*) = p_limit then (array_agg(e.endpoint_id order by e.endpoint_id))[1]::text end, '')
  from (
    select w.* from delivery.webhook_endpoints w
    where w.client_id = p_client_id and w.status <> 'deleted' and (p_after is null or w.endpoint_id < p_after)
    order by w.endpoint_id desc limit p_limit
  ) e;
$$;

-- Where a message for an endpoint goes, and its valid secrets, the current one first: {"url","secrets":[[secret_id, sealed]]}.
create or replace function wallet_api.read_webhook_target(p_endpoint_id uuid, p_client_id text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_endpoint delivery.webhook_endpoints := delivery.find_webhook(p_endpoint_id, p_client_id);
begin
  return json_build_object('url', v_endpoint.url, 'secrets', delivery.find_secrets(p_endpoint_id))::text;
end $$;

-- The valid secrets of an endpoint, the current one first: [[secret_id, sealed]].
create or replace function delivery.find_secrets(p_endpoint_id uuid) returns json
language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce(json_agg(json_build_array(s.secret_id, s.sealed) order by s.expires_at desc nulls first, s.secret_id), '[]')
  from delivery.webhook_secrets s
  where s.endpoint_id = p_endpoint_id and (s.expires_at is null or s.expires_at > wallet.clock())
$$;

-- The row of an endpoint of a client; refuses the call if there is none.
create or replace function delivery.find_webhook(p_endpoint_id uuid, p_client_id text) returns delivery.webhook_endpoints
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_endpoint delivery.webhook_endpoints;
begin
  select * into v_endpoint from delivery.webhook_endpoints e
    where e.endpoint_id = p_endpoint_id and e.client_id = p_client_id and e.status <> 'deleted';
  if not found then
    perform wallet.refuse_call('webhook_not_found');
  end if;
  return v_endpoint;
end $$;
