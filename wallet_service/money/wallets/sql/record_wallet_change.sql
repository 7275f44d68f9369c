-- Records a change of a wallet, or its creation where p_before is null: one event for each change of a wallet, of the most precise
-- type. A change of the status together with other members is wallet.frozen or wallet.unfrozen; before and after have them all.
create or replace function wallet.record_wallet_change(p_caller jsonb, p_before wallet.wallets, p_after wallet.wallets) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform platform.record_change(p_caller, case
      when p_before.wallet_id is null then 'wallet.created'
      when p_after.status = p_before.status then
        case when p_after.unverified_since is distinct from p_before.unverified_since then 'wallet.verified' else 'wallet.updated' end
      when p_after.status = 'closed' then 'wallet.closed'
      when p_after.status = 'frozen' then 'wallet.frozen'
      else 'wallet.unfrozen' end,
    p_after.wallet_id::text, case when p_before.wallet_id is not null then wallet.format_wallet(p_before)::jsonb end,
    wallet.format_wallet(p_after)::jsonb, p_after.user_id, p_after.wallet_id);
end $$;
