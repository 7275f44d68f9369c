-- Books entries on the days that they have in the zone of the book, also those whose day was moved: at most p_limit entries of one
-- wallet, after a place. A job calls it until "next" is null: {"checked","moved","next":{"after_wallet","after_version"}}. Only entries
-- whose day changes are written. They are one run.
create or replace function wallet_api.redate_parts(p_book_id uuid, p_run_id uuid, p_after_wallet uuid, p_after_version bigint,
  p_limit integer, p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set lock_timeout = '2s' set enable_seqscan = off set jit = off as $$
declare
  v_book finance.books := finance.lock_book(p_book_id);
  v_wallet finance.catalogued;
  v_first bigint;    -- the version after which this piece begins, and its last one
  v_last bigint;
  v_parts finance.parts[];
begin
  select * into v_wallet from finance.catalogued k where k.book_id = p_book_id
      and (p_after_wallet is null or k.wallet_id > p_after_wallet or k.wallet_id = p_after_wallet and k.done_version > p_after_version)
    order by k.wallet_id limit 1;
  if not found then
    return json_build_object('checked', 0, 'moved', 0, 'next', null)::text;
  end if;
  v_first := case when v_wallet.wallet_id = p_after_wallet then p_after_version else 0 end;
  v_last := least(v_first + p_limit, v_wallet.done_version);
  v_parts := array(select row(p.book_id, p.wallet_id, p.wallet_version, p.part, d.day, p.amount, p.category_id, p.payee_id, p.tag_ids,
      p.payment_method_id, p.note, p.pair_id, p.rule_id, p.edited, '')::finance.parts
    from wallet.wallet_transactions t
      cross join lateral (select finance.find_booking_day(t.effective_at, v_book.time_zone) as day) d
      join finance.parts p on p.wallet_id = t.wallet_id and p.wallet_version = t.wallet_version and p.booked_on <> d.day
    where t.wallet_id = v_wallet.wallet_id and t.wallet_version > v_first and t.wallet_version <= v_last);
  if cardinality(v_parts) > 0 then
    perform finance.start_run(p_run_id, p_book_id, 'redate', p_caller);
    perform finance.replace_parts(p_book_id, v_parts, p_run_id, p_caller);
  end if;
  return json_build_object('checked', v_last - v_first,
    'moved', (select count(distinct p.wallet_version) from unnest(v_parts) p),
    'next', json_build_object('after_wallet', v_wallet.wallet_id, 'after_version', v_last))::text;
end $$;
