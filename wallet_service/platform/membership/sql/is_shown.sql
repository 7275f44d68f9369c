-- Whether a wallet is shown to the caller. p_organizations has the answer by organization (null: of none is shown); null shows all.
-- p_restriction: null, or what the caller's key is restricted to: wallet_ids, user_id, organization_id.
create or replace function wallet.is_shown(p_wallet_id uuid, p_user_id text, p_organization_id text, p_organizations jsonb,
  p_restriction jsonb) returns boolean
language sql immutable as $$
  select (p_organizations is null or p_organization_id is null or p_organizations -> p_organization_id = 'true')
    and (p_restriction is null or coalesce(p_restriction -> 'wallet_ids' ? p_wallet_id::text, true)
      and coalesce(p_restriction ->> 'user_id', p_user_id) = p_user_id
      and (p_restriction ->> 'organization_id' is null or p_restriction ->> 'organization_id' is not distinct from p_organization_id))
$$;
