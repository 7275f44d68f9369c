-- The fault in the form of a new wallet or of changes to one, as the facts of validation_failed; null when there is none. Only
-- members that are present are checked.
create or replace function wallet.find_wallet_fault(p_wallet jsonb) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_control constant text := '[\u0001-\u001f\u007f-\u009f]';
begin
  if jsonb_typeof(p_wallet) is distinct from 'object' then
    return wallet.build_fault('', 'must be an object');
  end if;
  return (select wallet.build_fault(w.pointer, w.detail)
    from jsonb_to_record(p_wallet) as f (user_id text, organization_id text, name text, wallet_type text, network text,
      address text, status text, keeping text, is_primary text, metadata jsonb),
    lateral (values
      (1, '/user_id', 'must be 1 to 255 characters without control characters',
        length(f.user_id) not between 1 and 255 or f.user_id ~ c_control),
      (2, '/user_id', 'must not be . or .., nor have them between slashes: clients and proxies remove these from a path',
        f.user_id ~ '(^|/)[.]{1,2}(/|$)'),
      (3, '/organization_id', 'must be 1 to 255 characters without control characters',
        length(f.organization_id) not between 1 and 255 or f.organization_id ~ c_control),
      (4, '/name', 'must be 1 to 255 characters without control characters',
        length(f.name) not between 1 and 255 or f.name ~ c_control),
      (5, '/wallet_type', 'must be fiat, crypto or hybrid', f.wallet_type not in ('fiat', 'crypto', 'hybrid')),
      (6, '/network', 'must be 1 to 64 characters without control characters',
        length(f.network) not between 1 and 64 or f.network ~ c_control),
      (7, '/address', 'must be 1 to 255 characters without control characters',
        length(f.address) not between 1 and 255 or f.address ~ c_control),
      (8, '/status', 'must be active or frozen', f.status not in ('active', 'frozen')),
      (9, '/is_primary', 'must be true or false', f.is_primary not in ('true', 'false')),
      (10, '/metadata', wallet.find_metadata_fault(f.metadata), wallet.find_metadata_fault(f.metadata) is not null),
      (11, '/keeping', 'must be operating or mirrored', f.keeping not in ('operating', 'mirrored'))
    ) as w (n, pointer, detail, wrong)
    where w.wrong order by w.n limit 1);
end $$;
