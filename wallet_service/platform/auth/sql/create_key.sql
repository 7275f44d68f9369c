-- Stores a new key. With p_only_first it is stored only while there is no key at all, also when two processes start at once.
-- Returns {"created": bool}, and the same again for the same key. p_secret_hash is SHA-256 in hexadecimal, p_scopes an array of
-- texts. The rooms know which permissions exist, this function does not: a scope that no room declares allows nothing.
create or replace function wallet_api.create_key(
  p_key_id text, p_secret_hash text, p_client_name text, p_scopes jsonb, p_expires_at text default null,
  p_only_first boolean default false
) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_expires_at timestamptz := wallet.read_time(p_expires_at);
  v_now timestamptz := wallet.clock();
  v_fault text[];
begin
  -- A name without a colon can't be mistaken for a user's client_id, user:<iss>|<sub>.
  v_fault := case
    when (p_key_id ~ '^[0-9a-f]{32}$') is not true then array['/key_id', 'must be 32 hexadecimal digits']
    when (p_secret_hash ~ '^[0-9a-f]{64}$') is not true then array['/secret_hash', 'must be 64 hexadecimal digits']
    when (p_client_name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$') is not true
      then array['/client_name', 'must be 1 to 64 letters, digits and . _ -, and begin with a letter or digit']
    when case when pg_catalog.jsonb_typeof(p_scopes) is distinct from 'array' or p_scopes = '[]' then true
        else exists (select from pg_catalog.jsonb_array_elements(p_scopes) as scope
          where pg_catalog.jsonb_typeof(scope) <> 'string' or scope #>> '{}' !~ '^[a-z][a-z_]*(:[a-z][a-z_]*)?$') end
      then array['/scopes', 'must be at least one scope, such as wallets:read']
    when p_expires_at is not null and v_expires_at is null
      then array['/expires_at', 'must be an RFC 3339 timestamp with its offset from UTC']
    when v_expires_at <= v_now then array['/expires_at', 'must be in the future']
    when p_only_first is null then array['/only_first', 'must be true or false']
  end;
  if v_fault is not null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault(v_fault[1], v_fault[2]));
  end if;
  if exists (select from wallet.api_keys k
             where k.key_id = p_key_id and k.secret_hash = pg_catalog.decode(p_secret_hash, 'hex')) then
    perform wallet.await_replication();
    return '{"created": true}'; -- by a first attempt whose response was lost
  end if;
  if p_only_first then
    if exists (select from wallet.api_keys) then
      return '{"created": false}'; -- without the lock, which a standby does not give
    end if;
    lock table wallet.api_keys in share row exclusive mode;
    if exists (select from wallet.api_keys) then
      return '{"created": false}';
    end if;
  end if;
  insert into wallet.api_keys (key_id, secret_hash, client_name, scopes, created_at, expires_at)
  select p_key_id, pg_catalog.decode(p_secret_hash, 'hex'), p_client_name,
    array(select distinct scope from pg_catalog.jsonb_array_elements_text(p_scopes) as scope order by scope),
    v_now, v_expires_at
  on conflict (key_id) do nothing;
  if not found then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/key_id', 'is the id of another key'));
  end if;
  return '{"created": true}';
end $$;
