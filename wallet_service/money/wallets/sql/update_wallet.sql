-- A merge patch on a wallet: name, metadata, status (active | frozen), is_primary, credit_limit. p_version: the version that the
-- caller read, or null. The version goes up by one if anything changed.
create or replace function wallet_api.update_wallet(p_wallet_id uuid, p_user_id text, p_version bigint, p_changes jsonb,
  p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_fault jsonb := wallet.find_wallet_fault(p_changes);
  v_old wallet.wallets;
  v_new wallet.wallets;
  v_other wallet.wallets;
begin
  if v_fault is not null then
    perform wallet.refuse_call('validation_failed', v_fault);
  end if;
  v_old := wallet.lock_wallet(p_wallet_id, p_user_id, p_version);
  v_new := v_old;
  v_new.name := coalesce(p_changes ->> 'name', v_old.name);
  v_new.status := coalesce(p_changes ->> 'status', v_old.status);
  if v_new.status <> v_old.status then
    if v_old.status = 'frozen' and p_user_id is not null and not v_old.frozen_by_owner then
      perform wallet.refuse_call('wallet_frozen', jsonb_build_object('wallet_id', p_wallet_id));
    end if;
    v_new.frozen_by_owner := v_new.status = 'frozen' and p_user_id is not null;
  elsif v_old.frozen_by_owner and p_user_id is null and p_changes ->> 'status' = 'frozen' then
    v_new.frozen_by_owner := false;    -- an operator's freeze replaces that of the owner
  end if;
  v_new.is_primary := coalesce((p_changes ->> 'is_primary')::boolean, v_old.is_primary);
  v_new.metadata := case when p_changes -> 'metadata' = 'null' then '{}'
    else wallet.merge_patch(v_old.metadata, coalesce(p_changes -> 'metadata', '{}')) end;
  if p_changes ? 'credit_limit' then
    v_new.credit_limit := wallet.read_credit_limit(coalesce(p_changes ->> 'credit_limit', ''), v_old.currency);
  end if;
  if v_new.metadata <> v_old.metadata and wallet.find_metadata_fault(v_new.metadata) is not null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/metadata',
      wallet.find_metadata_fault(v_new.metadata) || ' when merged'));
  elsif v_new.keeping = 'mirrored' and v_new.credit_limit <> 0 then
    perform wallet.refuse_call('wallet_mirrored', jsonb_build_object('wallet_id', p_wallet_id));
  elsif v_new.keeping = 'operating' and v_new.balance - v_new.locked_balance < -v_new.credit_limit then
    perform wallet.refuse_call('credit_limit_in_use', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  select * into v_other from wallet.wallets w where w.user_id = v_new.user_id and w.wallet_type = v_new.wallet_type
    and w.currency = v_new.currency and w.name = v_new.name and w.keeping = v_new.keeping and w.status <> 'closed' and w.wallet_id <> p_wallet_id;
  if found then
    perform wallet.refuse_call('wallet_exists', jsonb_build_object('wallet_id', v_other.wallet_id));
  end if;
  if v_new is not distinct from v_old then
    return wallet.format_wallet(v_old);
  end if;
  if v_new.is_primary and not v_old.is_primary then
    perform wallet.end_primary(p_caller, v_new.user_id, v_new.currency, v_new.keeping);
  end if;
  update wallet.wallets w set name = v_new.name, status = v_new.status, frozen_by_owner = v_new.frozen_by_owner, is_primary = v_new.is_primary,
      metadata = v_new.metadata, credit_limit = v_new.credit_limit, version = w.version + 1, updated_at = wallet.clock()
    where w.wallet_id = p_wallet_id returning * into v_new;
  perform wallet.record_wallet_change(p_caller, v_old, v_new);
  return wallet.format_wallet(v_new);
end $$;

-- Ends that a wallet of the user is primary, if one is.
create or replace function wallet.end_primary(p_caller jsonb, p_user_id text, p_currency text, p_keeping text) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_old wallet.wallets;
  v_new wallet.wallets;
begin
  select * into v_old from wallet.wallets w
    where w.user_id = p_user_id and w.currency = p_currency and w.keeping = p_keeping and w.is_primary;
  if found then
    update wallet.wallets w set is_primary = false, version = w.version + 1, updated_at = wallet.clock()
      where w.wallet_id = v_old.wallet_id returning * into v_new;
    perform wallet.record_wallet_change(p_caller, v_old, v_new);
  end if;
end $$;

-- RFC 7396: the target with the members of the patch added, and without those that are null in the patch. One pass: to copy the
-- target for each member of the patch took 0.3 s for 16 KiB of short members.
create or replace function wallet.merge_patch(p_target jsonb, p_patch jsonb) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if jsonb_typeof(p_patch) <> 'object' then
    return p_patch;
  elsif p_patch = '{}' and jsonb_typeof(p_target) = 'object' then
    return p_target;
  end if;
  return (select coalesce(jsonb_object_agg(coalesce(p.key, t.key), case
      when p.key is null then t.value
      when jsonb_typeof(p.value) = 'object' then wallet.merge_patch(t.value, p.value)
      else p.value end), '{}')
    from jsonb_each(case when jsonb_typeof(p_target) = 'object' then p_target else '{}' end) t
      full join jsonb_each(p_patch) p on p.key = t.key
    where p.value is distinct from 'null');
end $$;
