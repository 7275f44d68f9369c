-- Delivers again what an endpoint got before. p_choice has one member. "from_number": the events from this one on; "from_time": those that
-- were numbered from this moment on; "from_event": those from the event with this id on, which was delivered before. The workers do it in
-- the background, in order; events that were not for the endpoint then follow, too. "dead": at most 1,000 dead deliveries, the oldest
-- first; "number": this delivery. Message ids stay. Returns {"from_number","upto_number","deliveries","more"}: deliveries that are
-- pending again now (null: the workers find them), and whether there are more dead ones.
create or replace function wallet_api.replay_webhook(p_endpoint_id uuid, p_client_id text, p_choice jsonb, p_caller jsonb)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  c_most constant integer := 1000;
  v_endpoint delivery.webhook_endpoints := delivery.lock_webhook(p_endpoint_id, p_client_id, null);
  v_state delivery.numbering;
  v_from bigint := (p_choice ->> 'from_number')::bigint;
  v_numbers bigint[];
begin
  select * into v_state from delivery.numbering;
  perform platform.record_change(p_caller, 'webhook_endpoint.replayed', p_endpoint_id::text, delivery.mask_webhook(v_endpoint),
    delivery.mask_webhook(v_endpoint));
  update delivery.webhook_endpoints e set resting_until = null where e.endpoint_id = p_endpoint_id and e.resting_until is not null;
  if p_choice ? 'dead' then
    v_numbers := array(select d.number from delivery.webhook_deliveries d
      where d.endpoint_id = p_endpoint_id and d.state = 'dead' order by d.number limit c_most);
    return delivery.repeat_deliveries(p_endpoint_id, v_numbers, c_most);
  elsif p_choice ? 'number' then
    v_numbers := array(select d.number from delivery.webhook_deliveries d
      where d.endpoint_id = p_endpoint_id and d.number = (p_choice ->> 'number')::bigint);
    if cardinality(v_numbers) = 0 then
      perform wallet.refuse_call('delivery_not_found');
    end if;
    return delivery.repeat_deliveries(p_endpoint_id, v_numbers, c_most);
  elsif p_choice ? 'from_event' then
    select d.number into v_from from delivery.webhook_deliveries d
      where d.endpoint_id = p_endpoint_id and d.event_id = (p_choice ->> 'from_event')::uuid;
    if not found then
      perform wallet.refuse_call('delivery_not_found');
    end if;
  elsif p_choice ? 'from_time' then
    v_from := delivery.find_number_at(wallet.read_time(p_choice ->> 'from_time'));
  end if;
  v_from := greatest(v_from, v_state.oldest_number);
  if v_from <= v_endpoint.after_number then
    update delivery.webhook_endpoints e set after_number = v_from - 1, replay_at = wallet.clock(),
        replay_upto = greatest(e.replay_upto, e.after_number)
      where e.endpoint_id = p_endpoint_id;
  end if;
  return json_build_object('from_number', v_from, 'upto_number', v_endpoint.after_number, 'deliveries', null, 'more', false)::text;
end $$;

-- Makes deliveries that have ended pending again. Returns what replay_webhook returns.
create or replace function delivery.repeat_deliveries(p_endpoint_id uuid, p_numbers bigint[], p_most integer) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_count integer;
begin
  update delivery.webhook_deliveries d set state = 'pending', failures = 0, ready = d.wallet_id is null, ended_at = null,
      due_at = wallet.clock()
    where d.endpoint_id = p_endpoint_id and d.number = any (p_numbers) and d.state <> 'pending';
  get diagnostics v_count = row_count;
  perform delivery.order_deliveries(p_endpoint_id, array(select distinct d.wallet_id from delivery.webhook_deliveries d
    where d.endpoint_id = p_endpoint_id and d.number = any (p_numbers) and d.wallet_id is not null));
  return json_build_object('from_number', p_numbers[1], 'upto_number', p_numbers[cardinality(p_numbers)], 'deliveries', v_count,
    'more', cardinality(p_numbers) = p_most)::text;
end $$;

-- The number of the first event that got its number at this moment or later; one more than the last number if there is none. Times never
-- decrease with the number, so the place is found by halving.
create or replace function delivery.find_number_at(p_at timestamptz) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_low bigint;
  v_high bigint;
  v_middle bigint;
begin
  select n.oldest_number, n.last_number + 1 into v_low, v_high from delivery.numbering n;
  while v_low < v_high loop
    v_middle := (v_low + v_high) / 2;
    if (select e.numbered_at from delivery.events e where e.number = v_middle) >= p_at then
      v_high := v_middle;
    else
      v_low := v_middle + 1;
    end if;
  end loop;
  return v_low;
end $$;
