-- Whether a wallet of this organization (null: of none) is shown. p_organizations has the answer by organization; null shows all.
create or replace function wallet.is_shown(p_organization_id text, p_organizations jsonb) returns boolean
language sql immutable as $$
  select p_organizations is null or p_organization_id is null or p_organizations -> p_organization_id = 'true'
$$;
