-- Stores a new key. With p_only_first it is stored only while there is no key at all, also when two processes start at once.
-- Returns {"created": bool}, and the same again for the same key. p_secret_hash is SHA-256 in hexadecimal, p_scopes an array of
-- texts. The rooms know which permissions exist, this function does not: a scope that no room declares allows nothing.
-- p_restriction: null, or an object with some of wallet_ids, user_id, organization_id, counter_accounts, max_amount (a decimal text).
create or replace function wallet_api.create_key(
  p_key_id text, p_secret_hash text, p_client_name text, p_scopes jsonb, p_expires_at text default null,
  p_only_first boolean default false, p_restriction jsonb default null, p_caller jsonb default null
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
    when p_client_name = 'wallet-service' then array['/client_name', 'is the name of what the service posts by itself']
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
  if p_restriction is not null and wallet.find_restriction_fault(p_restriction, p_scopes) is not null then
    perform wallet.refuse_call('validation_failed', wallet.find_restriction_fault(p_restriction, p_scopes));
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
  insert into wallet.api_keys (key_id, secret_hash, client_name, scopes, created_at, expires_at,
    wallet_ids, user_id, organization_id, counter_accounts, max_amount)
  select p_key_id, pg_catalog.decode(p_secret_hash, 'hex'), p_client_name,
    array(select distinct scope from pg_catalog.jsonb_array_elements_text(p_scopes) as scope order by scope),
    v_now, v_expires_at,
    (select pg_catalog.array_agg(w::uuid) from pg_catalog.jsonb_array_elements_text(p_restriction -> 'wallet_ids') as w),
    p_restriction ->> 'user_id', p_restriction ->> 'organization_id',
    (select pg_catalog.array_agg(a order by place)
      from pg_catalog.jsonb_array_elements_text(p_restriction -> 'counter_accounts') with ordinality as e (a, place)),
    wallet.read_amount(p_restriction ->> 'max_amount')
  on conflict (key_id) do nothing;
  if not found then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/key_id', 'is the id of another key'));
  end if;
  perform platform.record_change(p_caller, 'api_key.created', p_key_id, null,
    (select wallet.format_key(k)::jsonb from wallet.api_keys k where k.key_id = p_key_id));
  return '{"created": true}';
end $$;

-- The fault in what a key is restricted to, as the facts of validation_failed; null when there is none.
create or replace function wallet.find_restriction_fault(p_restriction jsonb, p_scopes jsonb) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_control constant text := '[\u0001-\u001f\u007f-\u009f]';
  r constant jsonb := p_restriction;
begin
  if jsonb_typeof(r) <> 'object' or r - '{wallet_ids,user_id,organization_id,counter_accounts,max_amount}'::text[] <> '{}' or r = '{}' then
    return wallet.build_fault('', 'a restriction has wallet_ids, user_id, organization_id, counter_accounts or max_amount');
  elsif p_scopes ? 'admin' then
    return wallet.build_fault('/scopes', 'a key with the scope admin can''t be restricted');
  elsif r ? 'wallet_ids' and wallet.are_names(r -> 'wallet_ids') is not true
      or exists (select from jsonb_path_query(r, '$.wallet_ids[*]') w where wallet.is_uuid(w #>> '{}') is not true) then
    return wallet.build_fault('/wallet_ids', 'must be 1 to 100 UUIDs');
  elsif length(r ->> 'user_id') not between 1 and 255 or r ->> 'user_id' ~ c_control then
    return wallet.build_fault('/user_id', 'must be 1 to 255 characters without control characters');
  elsif length(r ->> 'organization_id') not between 1 and 255 or r ->> 'organization_id' ~ c_control then
    return wallet.build_fault('/organization_id', 'must be 1 to 255 characters without control characters');
  elsif r ? 'counter_accounts' and wallet.are_names(r -> 'counter_accounts') is not true
      or exists (select from jsonb_path_query(r, '$.counter_accounts[*]') a
        where a #>> '{}' collate "C" !~ '^[a-z]+(:[A-Za-z0-9._:-]{1,100})?$|^[a-z]+:[A-Za-z0-9._:-]{0,100}[*]$') then
    return wallet.build_fault('/counter_accounts', 'must be 1 to 100 names such as revenue:usage, or with a * at the end for all'
      ' that begin like it, such as fx:*; wallet:* stands for other wallets');
  elsif r ? 'max_amount' and coalesce(wallet.read_amount(r ->> 'max_amount'), 0) <= 0 then
    return wallet.build_fault('/max_amount', 'must be a positive decimal number');
  end if;
  return null;
end $$;

-- Whether this is an array of 1 to 100 texts.
create or replace function wallet.are_names(p_names jsonb) returns boolean
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select jsonb_typeof(p_names) = 'array' and jsonb_array_length(p_names) between 1 and 100
    and not jsonb_path_exists(p_names, 'strict $[*] ? (@.type() != "string")')
$$;
