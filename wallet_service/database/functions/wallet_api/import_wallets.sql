-- Makes wallets with opening balances, each line on its own: an outcome a line, in order. p_lines is an array of
-- {wallet_id, key, wallet, deposit}, as create_wallet takes them; a line sent again under its key is 'replayed'.
create or replace function wallet_api.import_wallets(p_client_id text, p_lines jsonb) returns text
language plpgsql volatile security definer set search_path = '' set lock_timeout = '2s' as $$
declare
  v_line jsonb;
  v_outcomes text[];
  v_code text;
  v_facts text;
begin
  for v_line in select value from jsonb_array_elements(p_lines) loop
    begin
      v_outcomes := v_outcomes || wallet_api.create_wallet((v_line ->> 'wallet_id')::uuid, p_client_id,
        v_line ->> 'key', v_line -> 'wallet', nullif(v_line -> 'deposit', 'null'));
    exception when sqlstate 'WL001' then
      get stacked diagnostics v_code = message_text, v_facts = pg_exception_detail;
      v_outcomes := v_outcomes || json_build_object('status', 'refused', 'code', v_code, 'facts', v_facts::json)::text;
    end;
  end loop;
  return '[' || array_to_string(v_outcomes, ',') || ']';
end $$;
