-- Makes deliveries of the events that active endpoints want, in the order of their numbers, and moves the endpoints' places on in the same
-- transaction: about p_limit deliveries. Calls at the same time work on different endpoints. Returns {"created","more","endpoints"}.
create or replace function wallet_api.spread_webhook_events(p_limit integer default 500) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '2s' set enable_seqscan = off set jit = off as $$
declare
  c_most_endpoints constant integer := 50;
  c_most_passed constant integer := 100; -- events that are not wanted are read again rather than each written as a new place
  v_state delivery.numbering;
  v_endpoint delivery.webhook_endpoints;
  v_created integer := 0;
  v_more boolean := false;
  v_is_crowded boolean;
begin
  perform wallet.require_read_committed();
  select * into v_state from delivery.numbering;
  -- Of more endpoints than one call works on, each is moved on, so that the others get their turn.
  v_is_crowded := (select count(*) > c_most_endpoints from (select from delivery.webhook_endpoints e
    where e.status = 'active' and e.after_number < v_state.last_number limit c_most_endpoints + 1) e);
  for v_endpoint in
    select e.* from delivery.webhook_endpoints e where e.status = 'active' and e.after_number < v_state.last_number
    order by e.after_number limit c_most_endpoints for no key update skip locked
  loop
    if v_created >= p_limit then
      v_more := true;
      exit;
    elsif not delivery.has_valid_key(v_endpoint.client_id) then
      perform delivery.disable_webhook(v_endpoint, 'client');
    else
      v_created := v_created + delivery.spread_to_webhook(v_endpoint, v_state, p_limit - v_created,
        case when v_is_crowded then 0 else c_most_passed end);
      v_more := v_more or exists (select from delivery.webhook_endpoints e where e.endpoint_id = v_endpoint.endpoint_id
        and e.after_number < v_state.last_number - c_most_passed);
    end if;
  end loop;
  return json_build_object('created', v_created, 'more', v_more or v_is_crowded,
    'endpoints', exists (select from delivery.webhook_endpoints e where e.status = 'active'))::text;
end $$;

-- The same for one endpoint, which the caller has locked. Its place is moved on by more than p_most_passed events that it does not want.
-- Returns how many deliveries were made.
create or replace function delivery.spread_to_webhook(p_endpoint delivery.webhook_endpoints, p_state delivery.numbering,
  p_limit integer, p_most_passed integer) returns integer
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_after constant bigint := greatest(p_endpoint.after_number, p_state.oldest_number - 1);
  v_numbers bigint[];
  v_upto bigint;
  v_created integer;
begin
  select f.numbers, f.upto into v_numbers, v_upto from delivery.find_events(v_after, p_state.last_number, p_limit,
    to_jsonb(p_endpoint.event_types), null, null, null, null) f;
  insert into delivery.webhook_deliveries as d (endpoint_id, number, event_id, event_type, wallet_id, state, ready, failures,
      attempts, due_at, created_at)
    select p_endpoint.endpoint_id, e.number, coalesce(e.event_id, delivery.identify_entry(t.transaction_id, t.leg)),
      coalesce(e.event_type, 'transaction.posted'), e.wallet_id, 'pending',
      e.wallet_id is null or row_number() over (partition by e.wallet_id order by e.number) = 1
        and not exists (select from delivery.webhook_deliveries h where h.endpoint_id = p_endpoint.endpoint_id
          and h.wallet_id = e.wallet_id and h.state = 'pending' and h.failures < 3),
      0, 0, wallet.clock(), wallet.clock()
    from unnest(v_numbers) as n (number) join delivery.events e on e.number = n.number
      left join wallet.wallet_transactions t on t.wallet_id = e.wallet_id and t.wallet_version = e.wallet_version
    order by e.number
    on conflict (endpoint_id, number) do update set state = 'pending', ready = excluded.ready, failures = 0,
        due_at = excluded.due_at, ended_at = null
      where d.state <> 'pending' and d.number <= p_endpoint.replay_upto and d.ended_at <= p_endpoint.replay_at;
  get diagnostics v_created = row_count;
  if v_numbers[1] <= p_endpoint.replay_upto then
    perform delivery.order_deliveries(p_endpoint.endpoint_id, array(select distinct e.wallet_id from delivery.events e
      where e.number = any (v_numbers) and e.wallet_id is not null));
  end if;
  if cardinality(v_numbers) > 0 or v_upto > p_endpoint.after_number + p_most_passed then
    update delivery.webhook_endpoints e set after_number = v_upto,
        replay_upto = case when v_upto < e.replay_upto then e.replay_upto end,
        replay_at = case when v_upto < e.replay_upto then e.replay_at end
      where e.endpoint_id = p_endpoint.endpoint_id;
  end if;
  return v_created;
end $$;

-- Makes the earliest delivery of each of these wallets ready, and the others wait for it: of those with fewer than three failed attempts
-- that are not being sent. The caller has locked the endpoint. It reads heads only, however much waits behind them.
create or replace function delivery.order_deliveries(p_endpoint_id uuid, p_wallet_ids uuid[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  update delivery.webhook_deliveries d set ready = not d.ready
    from unnest(p_wallet_ids) as w (wallet_id) cross join lateral (
      select h.number from delivery.webhook_deliveries h where h.endpoint_id = p_endpoint_id and h.wallet_id = w.wallet_id
        and h.state = 'pending' and h.failures < 3 order by h.number limit 1) f
      cross join lateral (
        select f.number union
        select r.number from delivery.webhook_deliveries r where r.endpoint_id = p_endpoint_id and r.wallet_id = w.wallet_id
          and r.state = 'pending' and r.ready and r.failures < 3) c
    where d.endpoint_id = p_endpoint_id and d.number = c.number and d.lease_id is null and d.ready <> (d.number = f.number);
end $$;

-- Whether a client can still have endpoints, which get events of all wallets: none gets what its client may no longer read.
create or replace function delivery.has_valid_key(p_client_id text) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select p_client_id = 'admin' or exists (select from wallet.api_keys k where k.client_name = p_client_id
    and k.revoked_at is null and (k.expires_at is null or k.expires_at > wallet.clock())
    and k.scopes && array['webhooks:write', 'admin'] and num_nonnulls(k.wallet_ids, k.user_id, k.organization_id) = 0)
$$;
