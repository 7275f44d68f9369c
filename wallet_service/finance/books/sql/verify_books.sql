-- Compares books with the wallets that they say something of: those of p_limit books after p_after. Returns {checked, next, faults}.
create or replace function wallet_api.verify_books(p_after uuid default null, p_limit integer default 1000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select b.book_id, b.time_zone from finance.books b where p_after is null or b.book_id > p_after
    order by b.book_id limit least(p_limit, 1000)
  ), faults as (
    select 'book wallets' as name, m.wallet_id, p.book_id
    from page p join finance.book_wallets m on m.book_id = p.book_id
      left join wallet.wallets w on w.wallet_id = m.wallet_id
    where finance.find_book_of_wallet(w.user_id, w.organization_id) is distinct from p.book_id
    union all
    select 'book calendar', null, p.book_id from page p where not wallet.is_time_zone(p.time_zone)
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.book_id) from page p order by p.book_id desc limit 1),
    'faults', (select coalesce(json_agg(case when f.wallet_id is not null then json_build_object('check', f.name, 'wallet_id', f.wallet_id)
      else json_build_object('check', f.name, 'row', f.book_id) end), '[]') from faults f)
  )::text);
end $$;
