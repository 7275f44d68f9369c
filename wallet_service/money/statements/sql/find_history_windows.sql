-- The rows to read for a page of some wallets' history: of each wallet the versions above "above", up to "upto", at most
-- p_window of them; "more" says that older ones are wanted and were left out. p_before… is the position of the last row
-- of the page before, in the order (created_at, wallet_id, wallet_version).
create or replace function wallet.find_history_windows(p_wallet_ids uuid[], p_from timestamptz, p_to timestamptz,
  p_before_at timestamptz, p_before_wallet uuid, p_before_version bigint, p_window integer)
returns table (wallet_id uuid, exponent smallint, above bigint, upto bigint, more boolean)
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  c_tick constant interval := '1 microsecond';
  v_wallet record;
  v_end bigint;
begin
  for v_wallet in select w.wallet_id, w.last_entry, c.exponent
    from wallet.wallets w join wallet.currencies c on c.code = w.currency where w.wallet_id = any (p_wallet_ids)
  loop
    wallet_id := v_wallet.wallet_id;
    exponent := v_wallet.exponent;
    upto := case
      when p_before_version is null then v_wallet.last_entry
      when v_wallet.wallet_id = p_before_wallet then greatest(least(v_wallet.last_entry, p_before_version - 1), 0)
      else wallet.find_version_at(v_wallet.wallet_id,
        case when v_wallet.wallet_id < p_before_wallet then p_before_at else p_before_at - c_tick end, v_wallet.last_entry)
      end;
    if p_to is not null then
      upto := wallet.find_version_at(v_wallet.wallet_id, p_to - c_tick, upto);
    end if;
    v_end := case when p_from is null then 0 else wallet.find_version_at(v_wallet.wallet_id, p_from - c_tick, upto) end;
    above := greatest(v_end, upto - p_window);
    more := above > v_end;
    if upto > above then
      return next;
    end if;
  end loop;
end $$;
