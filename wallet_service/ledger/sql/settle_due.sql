-- Lets everything that is due on marked wallets take effect and be recorded, of at most p_limit wallets after p_after, in the order of
-- when it was due. Wallets that another session has locked are skipped: it does the same. Nothing waits for it; what is due takes effect
-- at the moment of use. A wallet that can't be settled stops no other. {"settled", "next": where another call goes on, or null,
-- "failed": [{"wallet_id", "error"}]}.
create or replace function wallet_api.settle_due(p_limit integer default 100, p_after jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_after_at constant timestamptz := coalesce((p_after ->> 0)::timestamptz, '-infinity');
  v_after_id constant uuid := coalesce(p_after ->> 1, '00000000-0000-0000-0000-000000000000');
  v_ids uuid[];
  v_next jsonb;
  v_settled integer := 0;
  v_failed jsonb := '[]';
  v_id uuid;
begin
  perform wallet.require_read_committed();
  select array_agg(d.wallet_id), case when count(*) = least(p_limit, 1000)
      then (array_agg(jsonb_build_array(d.due_at, d.wallet_id) order by d.due_at desc, d.wallet_id desc))[1] end
    into v_ids, v_next
    from (select w.wallet_id, w.due_at from wallet.wallets w
      where w.due_at < 'infinity' and w.due_at <= wallet.clock() and (w.due_at, w.wallet_id) > (v_after_at, v_after_id)
      order by w.due_at, w.wallet_id limit least(p_limit, 1000)) d;
  begin
    v_settled := wallet.settle_wallets(coalesce(v_ids, '{}'));
  exception when others then    -- of one of them: each by itself
    foreach v_id in array v_ids loop
      begin
        v_settled := v_settled + wallet.settle_wallets(array[v_id]);
      exception when others then
        v_failed := v_failed || jsonb_build_object('wallet_id', v_id, 'error', sqlstate || ' ' || sqlerrm);
      end;
    end loop;
  end;
  return json_build_object('settled', v_settled, 'next', v_next, 'failed', v_failed)::text;
end $$;

-- Settles these wallets, as far as they are due and no other session has locked them; returns how many. For a call that has locked
-- nothing yet, or these wallets.
create or replace function wallet.settle_wallets(p_wallet_ids uuid[]) returns integer
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_now timestamptz := wallet.clock();
  v_accounts wallet.account[];
  v_settlement wallet.settlement;
  v_marks integer := 0;
begin
  select array_agg(row(w.wallet_id, w.user_id, w.currency, w.exponent, w.balance, w.locked_balance, w.credit_limit,
      w.status, w.last_entry, w.last_posted_at, w.keeping, w.marks, w.due_at, false, false)::wallet.account), bit_or(w.marks)
    into v_accounts, v_marks
    from (select w.*, c.exponent from wallet.wallets w join wallet.currencies c on c.code = w.currency
      where w.wallet_id = any (p_wallet_ids) and w.due_at <= v_now order by w.wallet_id for no key update of w skip locked) w;
  if v_accounts is null then
    return 0;
  end if;
  if v_marks = 0 then    -- a room removed its mark, and what was due with it
    update wallet.wallets w set due_at = 'infinity' from unnest(v_accounts) a where w.wallet_id = a.wallet_id;
    return cardinality(v_accounts);
  end if;
  v_settlement := wallet.settle_accounts(v_accounts, v_marks, v_now);
  perform wallet.write_postings('{}', '{}', row(v_settlement.accounts, '{}'::wallet.decision[], v_settlement.state,
    v_settlement.entries)::wallet.decided);
  return cardinality(v_accounts);
end $$;

-- Settles a wallet that is about to be read, if something is due on it now; whether it did. A replica shows what the primary has settled.
create or replace function wallet.settle_before_read(p_wallet_id uuid) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  return not pg_is_in_recovery() and wallet.settle_wallets(array[p_wallet_id]) > 0;
end $$;
