-- Gives an endpoint a new secret, once for each key; those before it stay valid for p_overlap_s seconds, or as long as they were already
-- to be. Returns two lines, as create_webhook does: [secret_id, sealed] of the new secret, and {"status","endpoint"}.
create or replace function wallet_api.rotate_webhook_secret(p_endpoint_id uuid, p_client_id text, p_key text, p_request_hash text,
  p_secret_id uuid, p_sealed text, p_key_id text, p_overlap_s integer, p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  c_most constant integer := 5;
  v_spent record;
  v_old delivery.webhook_endpoints := delivery.lock_webhook(p_endpoint_id, p_client_id, null);
  v_before constant jsonb := delivery.mask_webhook(v_old);
  v_new delivery.webhook_endpoints;
  v_answer text;
begin
  v_spent := platform.spend_key(p_client_id, p_key, 'rotate_webhook_secret', p_secret_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    return delivery.find_named_secret((v_spent.response::json ->> 'secret_id')::uuid) || E'\n{"status":"' || v_spent.status
      || '","endpoint":' || v_spent.response || '}';
  end if;
  if not exists (select from delivery.webhook_secrets s where s.secret_id = p_secret_id) then
    update delivery.webhook_secrets s set expires_at = least(s.expires_at, wallet.clock() + make_interval(secs => p_overlap_s))
      where s.endpoint_id = p_endpoint_id;
    delete from delivery.webhook_secrets s where s.endpoint_id = p_endpoint_id and s.expires_at <= wallet.clock();
    if (select count(*) from delivery.webhook_secrets s where s.endpoint_id = p_endpoint_id) >= c_most then
      perform wallet.refuse_call('webhook_limit', jsonb_build_object('limit', c_most));
    end if;
    insert into delivery.webhook_secrets (secret_id, endpoint_id, sealed, key_id, created_at)
      values (p_secret_id, p_endpoint_id, p_sealed, p_key_id, wallet.clock());
    update delivery.webhook_endpoints e set version = e.version + 1, updated_at = wallet.clock() where e.endpoint_id = p_endpoint_id
      returning * into v_new;
    perform platform.record_change(p_caller, 'webhook_endpoint.secret_rotated', p_endpoint_id::text, v_before,
      delivery.mask_webhook(v_new));
  end if;
  v_answer := json_build_object('secret_id', p_secret_id, 'endpoint_id', p_endpoint_id, 'old_secret_until', wallet.format_time((
    select max(s.expires_at) from delivery.webhook_secrets s where s.endpoint_id = p_endpoint_id)))::text;
  perform platform.keep_response(p_client_id, p_key, v_answer);
  return delivery.find_named_secret(p_secret_id) || E'\n{"status":"created","endpoint":' || v_answer || '}';
end $$;

-- [secret_id, sealed] of a secret, or null once it is no longer valid.
create or replace function delivery.find_named_secret(p_secret_id uuid) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce((select json_build_array(s.secret_id, s.sealed)::text from delivery.webhook_secrets s
    where s.secret_id = p_secret_id and (s.expires_at is null or s.expires_at > wallet.clock())), 'null')
$$;

-- Sealed secrets in the order of the primary key, as core/room.SealedRows describes.
create or replace function wallet_api.list_sealed_webhook_secrets(p_except_key text, p_after text, p_limit integer, p_values boolean)
returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (with chosen as materialized (
    select s.secret_id, s.key_id, s.sealed from delivery.webhook_secrets s
    where s.secret_id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')::uuid and s.key_id is distinct from p_except_key
    order by s.secret_id limit p_limit
  )
  select json_build_object(
    'rows', (select coalesce(json_agg(json_build_object('row_id', c.secret_id, 'key_id', c.key_id,
      'value', case when p_values then c.sealed end) order by c.secret_id), '[]') from chosen c),
    'next', (select c.secret_id from chosen c order by c.secret_id offset p_limit - 1 limit 1))::text);
end $$;

-- Replaces a sealed secret if it is still the old value; whether it was.
create or replace function wallet_api.replace_sealed_webhook_secret(p_row_id text, p_old text, p_new text, p_key_id text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
  update delivery.webhook_secrets s set sealed = p_new, key_id = p_key_id
    where s.secret_id = p_row_id::uuid and s.sealed = p_old;
  return found::text;
end $$;
