-- Creates an endpoint with its secret, once for each key. Safe to repeat. It gets the events that are numbered from now on. p_endpoint:
-- {"url","description","event_types"}, the last one null for all types. p_sealed: the secret, sealed for the row p_secret_id. Returns two
-- lines: [secret_id, sealed] of the endpoint's first secret, null once it is no longer valid; and {"status","endpoint"}. The stored
-- response has no secret.
create or replace function wallet_api.create_webhook(p_endpoint_id uuid, p_client_id text, p_key text, p_request_hash text,
  p_endpoint jsonb, p_secret_id uuid, p_sealed text, p_key_id text, p_most integer, p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_spent record;
  v_endpoint delivery.webhook_endpoints;
  v_answer text;
begin
  perform wallet.require_read_committed();
  v_spent := platform.spend_key(p_client_id, p_key, 'create_webhook', p_endpoint_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    return delivery.find_first_secret((v_spent.response::json ->> 'endpoint_id')::uuid) || E'\n{"status":"' || v_spent.status
      || '","endpoint":' || v_spent.response || '}';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('webhooks of ' || p_client_id, 8208));
  if (select count(*) from delivery.webhook_endpoints e where e.client_id = p_client_id and e.status <> 'deleted'
      and e.endpoint_id <> p_endpoint_id) >= p_most then
    perform wallet.refuse_call('webhook_limit', jsonb_build_object('limit', p_most));
  end if;
  insert into delivery.webhook_endpoints (endpoint_id, client_id, url, description, event_types, status, after_number, version,
      created_at, updated_at)
    select p_endpoint_id, p_client_id, p_endpoint ->> 'url', coalesce(p_endpoint ->> 'description', ''),
      delivery.read_event_types(p_endpoint -> 'event_types'), 'active', n.last_number, 1, v_now, v_now
    from delivery.numbering n
    on conflict do nothing;
  if found then
    insert into delivery.webhook_secrets (secret_id, endpoint_id, sealed, key_id, created_at)
      values (p_secret_id, p_endpoint_id, p_sealed, p_key_id, v_now);
    select * into v_endpoint from delivery.webhook_endpoints e where e.endpoint_id = p_endpoint_id;
    perform platform.record_change(p_caller, 'webhook_endpoint.created', p_endpoint_id::text, null,
      delivery.mask_webhook(v_endpoint));
  end if;
  select * into v_endpoint from delivery.webhook_endpoints e where e.endpoint_id = p_endpoint_id;
  v_answer := delivery.format_webhook(v_endpoint);
  perform platform.keep_response(p_client_id, p_key, v_answer);
  return delivery.find_first_secret(p_endpoint_id) || E'\n{"status":"created","endpoint":' || v_answer || '}';
end $$;

-- [secret_id, sealed] of the secret with which an endpoint was created, or null once that is no longer valid.
create or replace function delivery.find_first_secret(p_endpoint_id uuid) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce((select json_build_array(s.secret_id, s.sealed)::text
    from delivery.webhook_secrets s join delivery.webhook_endpoints e on e.endpoint_id = s.endpoint_id
    where s.endpoint_id = p_endpoint_id and s.created_at = e.created_at
      and (s.expires_at is null or s.expires_at > wallet.clock())), 'null')
$$;

-- The types of a request, sorted; null for all.
create or replace function delivery.read_event_types(p_types jsonb) returns text[]
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case when jsonb_typeof(p_types) = 'array' then
    array(select distinct t.name from jsonb_array_elements_text(p_types) as t (name) order by t.name) end
$$;

-- An endpoint as its client sees it.
create or replace function delivery.format_webhook(p_endpoint delivery.webhook_endpoints) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select row_to_json(e)::text from (select p_endpoint.endpoint_id, p_endpoint.url, p_endpoint.description, p_endpoint.event_types,
    p_endpoint.status, p_endpoint.disabled_reason, wallet.format_time(p_endpoint.failing_since) as failing_since,
    (select wallet.format_time(max(s.expires_at)) from delivery.webhook_secrets s
      where s.endpoint_id = p_endpoint.endpoint_id and s.expires_at > wallet.clock()) as old_secret_until,
    p_endpoint.version, wallet.format_time(p_endpoint.created_at) as created_at,
    wallet.format_time(p_endpoint.updated_at) as updated_at) e
$$;

-- The same for events and the audit trail, which others read: without the query of the URL, which can have a secret of the receiver.
create or replace function delivery.mask_webhook(p_endpoint delivery.webhook_endpoints) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp as $$
  select delivery.format_webhook(p_endpoint)::jsonb || jsonb_build_object('url', regexp_replace(p_endpoint.url, '\?.*', '?…'))
$$;
