-- A posting as callers see it: its first leg (of a user's own wallet, where there is one), and under legs every leg
-- where it touched two wallets. A dry run is marked.
create or replace function wallet.format_posting(p_entries wallet.wallet_transactions[], p_exponent integer, p_viewer text,
  p_dry_run boolean) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_first wallet.wallet_transactions := p_entries[1];
  v_legs text := 'null';
begin
  if array_length(p_entries, 1) > 1 then
    if v_first.user_id <> p_viewer and p_entries[2].user_id = p_viewer then
      v_first := p_entries[2];
    end if;
    v_legs := '[' || wallet.format_entry(p_entries[1], p_exponent, p_viewer) || ','
      || wallet.format_entry(p_entries[2], p_exponent, p_viewer) || ']';
  end if;
  return left(wallet.format_entry(v_first, p_exponent, p_viewer), -1)
    || ',"legs":' || v_legs || ',"dry_run":' || p_dry_run::text || '}';
end $$;
