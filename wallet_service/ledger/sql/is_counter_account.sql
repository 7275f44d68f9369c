-- Whether callers may name this account as the other side of an entry. core/fields.py has the same rule.
create or replace function wallet.is_counter_account(p_account text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return p_account collate "C" ~ '^(promotions|breakage|(revenue|external|promotions|expense|fx|mirrored):[A-Za-z0-9._:-]+)$'
    and length(p_account) - position(':' in p_account) <= 100;
end $$;
