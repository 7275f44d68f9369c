-- Spends an idempotency key of an owner on a request, in the transaction of its effect. status is new (do it, then keep_response), or
-- created or replayed (it was done: return the response). created: by an earlier sending of the same call, which has the same object.
-- Without a key it is new. A key that was spent on another request refuses the call. A function that calls it requires read committed.
create or replace function platform.spend_key(p_owner text, p_key text, p_request text, p_object_id uuid, p_request_hash bytea,
  out status text, out response text)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_spent platform.request_keys;
begin
  status := 'new';
  if p_key is null then
    return;
  end if;
  insert into platform.request_keys (owner, key, request, object_id, request_hash, created_at)
    values (p_owner, p_key, p_request, p_object_id, p_request_hash, wallet.clock()) on conflict do nothing;
  if found then
    return;
  end if;
  select * into strict v_spent from platform.request_keys k where k.owner = p_owner and k.key = p_key;
  if (v_spent.request, v_spent.request_hash) is distinct from (p_request, p_request_hash) then
    perform wallet.refuse_call('idempotency_key_reused');
  end if;
  perform wallet.await_replication();
  status := case when v_spent.object_id = p_object_id then 'created' else 'replayed' end;
  response := v_spent.response;
end $$;

-- Keeps the response of a request for replays of its key, if it has one. Call it in the transaction that spent the key.
create or replace function platform.keep_response(p_owner text, p_key text, p_response text) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  update platform.request_keys k set response = p_response where k.owner = p_owner and k.key = p_key;
end $$;
