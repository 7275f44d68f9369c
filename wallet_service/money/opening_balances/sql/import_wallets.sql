-- Creates wallets with opening balances, each line independent of the others: an outcome a line, in order. p_lines is an array of
-- {wallet_id, key, wallet, deposit}, as create_wallet takes them; a line sent again under its key is 'replayed'. Lines are
-- processed in the order of users and currencies, in which create_wallet locks, so that two imports at once don't deadlock.
-- p_verified: false marks the wallets as unverified. p_dry_run: the same outcomes, and nothing of it is kept.
create or replace function wallet_api.import_wallets(p_client_id text, p_lines jsonb,
  p_verified boolean default true, p_dry_run boolean default false, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_line jsonb;
  v_number integer;
  v_outcomes text[];
  v_code text;
  v_facts text;
begin
  for v_line, v_number in select l.value, l.ordinality from jsonb_array_elements(p_lines) with ordinality l
    order by l.value -> 'wallet' ->> 'user_id' collate "C", l.value -> 'wallet' ->> 'currency' collate "C", l.ordinality
  loop
    begin
      v_outcomes[v_number] := wallet_api.create_wallet((v_line ->> 'wallet_id')::uuid, p_client_id,
        v_line ->> 'key', v_line -> 'wallet', nullif(v_line -> 'deposit', 'null'), p_verified, p_caller);
    exception when sqlstate 'WL001' then
      get stacked diagnostics v_code = message_text, v_facts = pg_exception_detail;
      v_outcomes[v_number] := json_build_object('status', 'refused', 'code', v_code, 'facts', v_facts::json)::text;
    end;
  end loop;
  if p_dry_run then
    raise exception using errcode = 'WL002', message = 'dry run';
  end if;
  return '[' || array_to_string(v_outcomes, ',') || ']';
exception when sqlstate 'WL002' then
  return '[' || array_to_string(v_outcomes, ',') || ']'; -- the changes are undone, the variables are not
end $$;
