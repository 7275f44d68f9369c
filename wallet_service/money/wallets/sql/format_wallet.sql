-- A wallet as callers see it.
create or replace function wallet.format_wallet(p_wallet wallet.wallets) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_exponent integer;
begin
  select c.exponent into v_exponent from wallet.currencies c where c.code = p_wallet.currency;
  return (select row_to_json(v)::text from (select
    p_wallet.wallet_id as wallet_id,
    p_wallet.user_id as user_id,
    p_wallet.organization_id as organization_id,
    p_wallet.name as name,
    p_wallet.wallet_type as wallet_type,
    p_wallet.currency as currency,
    p_wallet.keeping as keeping,
    p_wallet.network as network,
    p_wallet.address as address,
    wallet.format_amount(p_wallet.balance, v_exponent) as balance,
    wallet.format_amount(p_wallet.locked_balance, v_exponent) as locked_balance,
    wallet.format_amount(p_wallet.balance - p_wallet.locked_balance, v_exponent) as available_balance,
    wallet.format_amount(p_wallet.credit_limit, v_exponent) as credit_limit,
    p_wallet.status as status,
    p_wallet.is_primary as is_primary,
    p_wallet.version as version,
    p_wallet.last_entry as last_entry,
    p_wallet.metadata as metadata,
    wallet.format_time(p_wallet.created_at) as created_at,
    wallet.format_time(greatest(p_wallet.updated_at, p_wallet.last_posted_at)) as updated_at) v);
end $$;
