-- Ends an attempt. p_attempt: {"outcome","status","error","detail","body","duration_ms"}; outcome: delivered, failed, or gone (the receiver
-- wants nothing any more: the endpoint is disabled), or unsent: the service could not send it, so the endpoint rests, and nothing
-- counts. "version": of the endpoint when it was claimed. An attempt that failed at an endpoint that was changed meanwhile says
-- nothing about the changed one, and is made again at once. p_pause_ms: until the next attempt of one that failed; null: none follows,
-- it is dead. An endpoint without a success for p_disable_after_s seconds is disabled. Safe to repeat.
-- Returns delivered, pending, dead, or lost: the delivery was no longer this worker's, and nothing was changed.
create or replace function wallet_api.report_webhook_attempt(p_endpoint_id uuid, p_number bigint, p_lease_id uuid, p_attempt jsonb,
  p_pause_ms bigint, p_disable_after_s bigint) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_outcome constant text := p_attempt ->> 'outcome';
  v_endpoint delivery.webhook_endpoints;
  v_delivery delivery.webhook_deliveries;
  v_is_removed constant boolean := coalesce(p_attempt ->> 'error' = 'event_removed', false);    -- nothing was sent, nothing will be
  v_is_changed boolean;    -- the endpoint, since it was claimed
  v_is_late boolean;
begin
  perform wallet.require_read_committed();
  select * into v_endpoint from delivery.webhook_endpoints e where e.endpoint_id = p_endpoint_id for no key update;
  select * into v_delivery from delivery.webhook_deliveries d where d.endpoint_id = p_endpoint_id and d.number = p_number for update;
  if v_delivery.lease_id is distinct from p_lease_id or v_endpoint.status = 'deleted' then
    return case when v_endpoint.status <> 'deleted' and exists (select from delivery.webhook_attempts a
      where a.endpoint_id = p_endpoint_id and a.number = p_number and a.lease_id = p_lease_id) then v_delivery.state else 'lost' end;
  end if;
  if v_outcome = 'unsent' then
    return delivery.put_off_delivery(v_delivery, v_now + make_interval(secs => p_pause_ms / 1000.0));
  end if;
  v_is_changed := coalesce((p_attempt ->> 'version')::integer <> v_endpoint.version, false);    -- an earlier release sends none
  v_is_late := v_is_changed and v_outcome <> 'delivered' and not v_is_removed;
  update delivery.webhook_deliveries d set attempts = d.attempts + 1, lease_id = null, lease_until = null,
      failures = d.failures + case when v_outcome = 'delivered' or v_is_late then 0 else 1 end,
      state = case when v_outcome = 'delivered' then 'delivered' when p_pause_ms is null and not v_is_late then 'dead'
        else 'pending' end,
      due_at = v_now + make_interval(secs => case when v_is_late then 0 else coalesce(p_pause_ms, 0) / 1000.0 end),
      ended_at = case when v_outcome = 'delivered' or p_pause_ms is null and not v_is_late then v_now end
    where d.endpoint_id = p_endpoint_id and d.number = p_number returning * into v_delivery;
  insert into delivery.webhook_attempts (endpoint_id, number, attempt, lease_id, attempted_at, outcome, status, error, detail, body,
      duration_ms)
    values (p_endpoint_id, p_number, v_delivery.attempts, p_lease_id, v_now, v_outcome, (p_attempt ->> 'status')::integer,
      p_attempt ->> 'error', p_attempt ->> 'detail', coalesce(p_attempt ->> 'body', ''), (p_attempt ->> 'duration_ms')::integer);
  if v_delivery.wallet_id is not null then
    perform delivery.order_deliveries(p_endpoint_id, array[v_delivery.wallet_id]);
  end if;
  if not v_is_removed and not v_is_changed then
    perform delivery.note_webhook_health(v_endpoint, v_outcome, p_disable_after_s);
  end if;
  return v_delivery.state;
end $$;

-- Puts off a delivery that its worker could not send, and lets its endpoint, which the caller has locked, rest as long. Returns pending.
create or replace function delivery.put_off_delivery(p_delivery delivery.webhook_deliveries, p_until timestamptz) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  update delivery.webhook_deliveries d set lease_id = null, lease_until = null, due_at = p_until
    where d.endpoint_id = p_delivery.endpoint_id and d.number = p_delivery.number;
  update delivery.webhook_endpoints e set resting_until = greatest(e.resting_until, p_until)
    where e.endpoint_id = p_delivery.endpoint_id;
  if p_delivery.wallet_id is not null then
    perform delivery.order_deliveries(p_delivery.endpoint_id, array[p_delivery.wallet_id]);
  end if;
  return 'pending';
end $$;

-- Notes at an endpoint, which the caller has locked, how an attempt ended, and disables it where that is due. While it fails it rests
-- after each attempt, for a tenth of the time for which it has failed, at most a minute.
create or replace function delivery.note_webhook_health(p_endpoint delivery.webhook_endpoints, p_outcome text,
  p_disable_after_s bigint) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_since constant timestamptz := case when p_outcome <> 'delivered' then coalesce(p_endpoint.failing_since, wallet.clock()) end;
  v_endpoint delivery.webhook_endpoints := p_endpoint;
begin
  if v_since is not null or p_endpoint.failing_since is not null then
    update delivery.webhook_endpoints e set failing_since = v_since,
        resting_until = case when v_since is not null then wallet.clock() + least((wallet.clock() - v_since) / 10, interval '1 minute') end
      where e.endpoint_id = p_endpoint.endpoint_id returning * into v_endpoint;
  end if;
  if p_endpoint.status = 'active' and p_outcome = 'gone' then
    perform delivery.disable_webhook(v_endpoint, 'gone');
  elsif p_endpoint.status = 'active' and v_since <= wallet.clock() - make_interval(secs => p_disable_after_s) then
    perform delivery.disable_webhook(v_endpoint, 'failing');
  end if;
end $$;

-- Gives back deliveries that a worker has claimed and not sent, or whose attempt was cut off: [[endpoint_id, number]]. Safe to repeat.
create or replace function wallet_api.release_webhook_deliveries(p_lease_id uuid, p_deliveries jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_delivery delivery.webhook_deliveries;
begin
  perform wallet.require_read_committed();
  perform from delivery.webhook_endpoints e
    where e.endpoint_id in (select (r.place ->> 0)::uuid from jsonb_array_elements(p_deliveries) as r (place))
    order by e.endpoint_id for no key update;
  for v_delivery in
    update delivery.webhook_deliveries d set lease_id = null, lease_until = null
      from jsonb_array_elements(p_deliveries) as r (place)
      where d.endpoint_id = (r.place ->> 0)::uuid and d.number = (r.place ->> 1)::bigint and d.lease_id = p_lease_id
      returning d.*
  loop    -- a replay may have made an earlier one of its wallet pending meanwhile
    if v_delivery.wallet_id is not null then
      perform delivery.order_deliveries(v_delivery.endpoint_id, array[v_delivery.wallet_id]);
    end if;
  end loop;
  return 'true';
end $$;
