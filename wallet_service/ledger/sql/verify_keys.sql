-- Checks idempotency keys: p_limit keys after a place. Returns {checked, next, faults: [{check, transaction_id}], transactions}:
-- the ids of the postings in hexadecimal, without separator, so that the caller sees whether one occurs twice.
create or replace function wallet_api.verify_keys(p_after_client text default null, p_after_key text default '',
  p_limit integer default 2000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with seen as materialized (
    select i.client_id, i.key, i.kind, i.transaction_id, i.answer is not null as is_decided from wallet.idempotency i
    where (i.client_id, i.key) > (coalesce(p_after_client, ''), p_after_key)
    order by i.client_id, i.key limit least(p_limit, 10000)
  ), faults as (
    select s.transaction_id from seen s
    left join wallet.wallet_transactions t on t.transaction_id = s.transaction_id and t.leg = 0
    -- An operation that a room decided can have a result and no entry.
    where s.kind = 'posting' and (case when t.transaction_id is null then s.is_decided else t.client_id = s.client_id end) is not true
  )
  select json_build_object(
    'checked', (select count(*) from seen),
    'next', (select json_build_object('after_client', s.client_id, 'after_key', s.key)
      from seen s order by s.client_id desc, s.key desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', 'keys', 'transaction_id', f.transaction_id)), '[]')
      from faults f),
    'transactions', (select coalesce(string_agg(encode(uuid_send(s.transaction_id), 'hex'), ''), '')
      from seen s where s.kind = 'posting')
  )::text);
end $$;
