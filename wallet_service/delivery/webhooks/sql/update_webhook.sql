-- Changes an endpoint by a merge patch: url, description, event_types (null: all), status (active or disabled). p_version: the version
-- that the caller read, or null. One that becomes active goes on where it stopped; with another URL, what waits for its next attempt
-- is sent at once. Returns it.
create or replace function wallet_api.update_webhook(p_endpoint_id uuid, p_client_id text, p_version bigint, p_changes jsonb,
  p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_old delivery.webhook_endpoints := delivery.lock_webhook(p_endpoint_id, p_client_id, p_version);
  v_new delivery.webhook_endpoints := v_old;
begin
  v_new.url := coalesce(p_changes ->> 'url', v_old.url);
  v_new.description := coalesce(p_changes ->> 'description', v_old.description);
  v_new.status := coalesce(p_changes ->> 'status', v_old.status);
  if p_changes ? 'event_types' then
    v_new.event_types := delivery.read_event_types(p_changes -> 'event_types');
  end if;
  if v_new.status <> v_old.status or v_new.url <> v_old.url then
    v_new.failing_since := null;
    v_new.resting_until := null;
  end if;
  if v_new.status <> v_old.status then
    v_new.disabled_reason := case v_new.status when 'disabled' then 'request' end;
  end if;
  if v_new is not distinct from v_old then
    return delivery.format_webhook(v_old);
  end if;
  update delivery.webhook_endpoints e set url = v_new.url, description = v_new.description, event_types = v_new.event_types,
      status = v_new.status, failing_since = v_new.failing_since,
      resting_until = v_new.resting_until, disabled_reason = v_new.disabled_reason,
      version = e.version + 1, updated_at = wallet.clock()
    where e.endpoint_id = p_endpoint_id returning * into v_new;
  if v_new.status = 'active' and (v_old.status <> 'active' or v_new.url <> v_old.url) then
    perform delivery.hasten_deliveries(p_endpoint_id);
  end if;
  perform platform.record_change(p_caller, 'webhook_endpoint.updated', p_endpoint_id::text, delivery.mask_webhook(v_old),
    delivery.mask_webhook(v_new));
  return delivery.format_webhook(v_new);
end $$;

-- Makes what waits for another attempt due now: at most 1,000 deliveries.
create or replace function delivery.hasten_deliveries(p_endpoint_id uuid) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_now constant timestamptz := wallet.clock();
begin
  update delivery.webhook_deliveries d set due_at = v_now from (
      select f.number from delivery.webhook_deliveries f
      where f.endpoint_id = p_endpoint_id and f.state = 'pending' and f.ready and f.due_at > v_now
      order by f.due_at, f.number limit 1000 for update skip locked) f
    where d.endpoint_id = p_endpoint_id and d.number = f.number;
end $$;

-- Deletes an endpoint: its secrets at once, what was delivered to it in the background. p_version: as of update_webhook.
create or replace function wallet_api.delete_webhook(p_endpoint_id uuid, p_client_id text, p_version bigint, p_caller jsonb)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_old delivery.webhook_endpoints := delivery.lock_webhook(p_endpoint_id, p_client_id, p_version);
  v_before constant jsonb := delivery.mask_webhook(v_old);
begin
  delete from delivery.webhook_secrets s where s.endpoint_id = p_endpoint_id;
  update delivery.webhook_endpoints e set status = 'deleted', disabled_reason = null, updated_at = wallet.clock()
    where e.endpoint_id = p_endpoint_id;
  perform platform.record_change(p_caller, 'webhook_endpoint.deleted', p_endpoint_id::text, v_before, null);
  return 'true';
end $$;

-- Locks an endpoint of a client; refuses the call if there is none, or if it has another version (null: any).
create or replace function delivery.lock_webhook(p_endpoint_id uuid, p_client_id text, p_version bigint)
returns delivery.webhook_endpoints
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_endpoint delivery.webhook_endpoints;
begin
  perform wallet.require_read_committed();
  select * into v_endpoint from delivery.webhook_endpoints e
    where e.endpoint_id = p_endpoint_id and e.client_id = p_client_id and e.status <> 'deleted' for no key update;
  if not found then
    perform wallet.refuse_call('webhook_not_found');
  elsif v_endpoint.version <> p_version then
    perform wallet.refuse_call('version_mismatch', jsonb_build_object('version', v_endpoint.version));
  end if;
  return v_endpoint;
end $$;

-- Disables an endpoint that its caller has locked. Reasons: gone (status 410), failing, client (it has no valid key).
create or replace function delivery.disable_webhook(p_endpoint delivery.webhook_endpoints, p_reason text) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_new delivery.webhook_endpoints;
begin
  update delivery.webhook_endpoints e set status = 'disabled', disabled_reason = p_reason, version = e.version + 1,
      updated_at = wallet.clock()
    where e.endpoint_id = p_endpoint.endpoint_id returning * into v_new;
  perform platform.record_change(jsonb_build_object('actor', 'service'), 'webhook_endpoint.disabled', p_endpoint.endpoint_id::text,
    delivery.mask_webhook(p_endpoint), delivery.mask_webhook(v_new));
end $$;
