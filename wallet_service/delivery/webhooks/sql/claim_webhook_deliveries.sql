-- Claims due deliveries for a worker, for p_lease_s seconds: at most p_limit, and for one endpoint only so many that p_per_endpoint of it
-- are being sent, or one while it fails. Calls at the same time claim different deliveries. Safe to repeat with the same p_claim_id, which
-- becomes the lease id. Leases are measured by the server's clock, everything else by wallet.clock().
--
-- Returns lines. The first is {"<endpoint_id>": {"url","version","secrets":[[secret_id, sealed]]}}. Each delivery is three lines:
-- [endpoint_id, number, failures]; the facts of its event as in wallet_api.read_events, empty if the event was removed; and its data.
create or replace function wallet_api.claim_webhook_deliveries(p_claim_id uuid, p_limit integer, p_per_endpoint integer,
  p_lease_s integer) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '2s' set enable_seqscan = off set jit = off as $$
declare
  v_now constant timestamptz := wallet.clock(); -- a volatile function is no condition of an index
  v_endpoint delivery.webhook_endpoints;
  v_ids uuid[] := array(select distinct d.endpoint_id from delivery.webhook_deliveries d where d.lease_id = p_claim_id);
  v_claimed integer := 0;
  v_some integer;
begin
  perform wallet.require_read_committed();
  if cardinality(v_ids) > 0 then    -- of an earlier sending of this call; since then an endpoint may have been disabled or deleted
    update delivery.webhook_deliveries d set lease_id = null, lease_until = null from delivery.webhook_endpoints e
      where e.endpoint_id = any (v_ids) and e.status <> 'active' and d.endpoint_id = e.endpoint_id and d.lease_id = p_claim_id;
    return delivery.show_claim(p_claim_id, v_ids);
  end if;
  for v_endpoint in
    select e.* from delivery.webhook_endpoints e
    where e.status = 'active' and (e.resting_until is null or e.resting_until <= v_now) and exists (
      select from delivery.webhook_deliveries d where d.endpoint_id = e.endpoint_id and d.state = 'pending' and d.ready
        and d.due_at <= v_now and (d.lease_until is null or d.lease_until < clock_timestamp()))
    order by random() limit 100 for no key update skip locked
  loop
    exit when v_claimed >= p_limit;
    if not delivery.has_valid_key(v_endpoint.client_id) then
      perform delivery.disable_webhook(v_endpoint, 'client');
    else
      v_some := delivery.claim_of_webhook(v_endpoint, p_claim_id, least(p_limit - v_claimed,
        case when v_endpoint.failing_since is null then p_per_endpoint else 1 end), p_per_endpoint, p_lease_s);
      v_claimed := v_claimed + v_some;
      v_ids := case when v_some > 0 then v_ids || v_endpoint.endpoint_id else v_ids end;
    end if;
  end loop;
  return delivery.show_claim(p_claim_id, v_ids);
end $$;

-- The same for one endpoint, which the caller has locked. Returns how many were claimed.
create or replace function delivery.claim_of_webhook(p_endpoint delivery.webhook_endpoints, p_claim_id uuid, p_limit integer,
  p_per_endpoint integer, p_lease_s integer) returns integer
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_sending integer;
  v_claimed integer;
begin
  select count(*) into v_sending from delivery.webhook_deliveries d
    where d.endpoint_id = p_endpoint.endpoint_id and d.lease_id is not null and d.lease_until >= clock_timestamp();
  v_sending := case when p_endpoint.failing_since is null then p_per_endpoint else 1 end - v_sending;
  if v_sending <= 0 then
    return 0;
  end if;
  update delivery.webhook_deliveries d set lease_id = p_claim_id, lease_until = clock_timestamp() + make_interval(secs => p_lease_s)
    from (select f.number from delivery.webhook_deliveries f
      where f.endpoint_id = p_endpoint.endpoint_id and f.state = 'pending' and f.ready and f.due_at <= v_now
        and (f.lease_until is null or f.lease_until < clock_timestamp())
      order by f.due_at, f.number limit least(p_limit, v_sending) for update skip locked) f
    where d.endpoint_id = p_endpoint.endpoint_id and d.number = f.number;
  get diagnostics v_claimed = row_count;
  return v_claimed;
end $$;

-- What a claim has, as claim_webhook_deliveries returns it: about 768 KiB. The rest is given back.
create or replace function delivery.show_claim(p_claim_id uuid, p_endpoint_ids uuid[]) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  c_most_bytes constant integer := 786432;
  v_claimed record;
  v_shown record;
  v_bytes integer := 0;
  v_lines text[] := '{}';
begin
  for v_claimed in select d.* from delivery.webhook_deliveries d
      where d.endpoint_id = any (p_endpoint_ids) and d.lease_id = p_claim_id order by d.due_at, d.number loop
    select '' as facts, '' as data into v_shown;
    if exists (select from delivery.events e where e.number = v_claimed.number) then
      v_shown := delivery.show_event(v_claimed.number);
    end if;
    v_bytes := v_bytes + octet_length(v_shown.facts) + octet_length(v_shown.data);
    if v_bytes > c_most_bytes and cardinality(v_lines) > 0 then
      update delivery.webhook_deliveries d set lease_id = null, lease_until = null
        where d.endpoint_id = v_claimed.endpoint_id and d.number = v_claimed.number;
    else
      v_lines := v_lines || array[json_build_array(v_claimed.endpoint_id, v_claimed.number, v_claimed.failures)::text,
        v_shown.facts, v_shown.data];
    end if;
  end loop;
  return array_to_string((select coalesce(json_object_agg(e.endpoint_id, json_build_object('url', e.url, 'version', e.version,
    'secrets', delivery.find_secrets(e.endpoint_id))), '{}')::text
    from delivery.webhook_endpoints e where e.endpoint_id = any (p_endpoint_ids))
    || v_lines, E'\n');
end $$;
