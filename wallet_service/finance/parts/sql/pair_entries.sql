-- Pairs deposits and withdrawals that are one movement between wallets of the book: same currency and amount, the credit booked 0 to 4
-- days after the debit, and neither has another candidate. What has more than one becomes suggestions. p_wallets, p_from, p_to: the
-- entries that were just catalogued; their candidates may be older.
create or replace function finance.pair_entries(p_book finance.books, p_wallets uuid[], p_from bigint[], p_to bigint[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  c_run_id constant uuid := wallet.new_id();
  v_new finance.parts[];
  v_edges finance.pairs[];
  v_others finance.parts[];
  v_unique finance.pairs[];
begin
  if (select count(*) from finance.list_wallets_of_book(p_book.book_id)) < 2 then
    return;
  end if;
  v_new := array(select p from unnest(p_wallets, p_from, p_to) e (wallet_id, first, last)
    join finance.parts p on p.wallet_id = e.wallet_id and p.wallet_version > e.first and p.wallet_version <= e.last);
  v_edges := finance.list_pair_candidates(p_book.book_id, v_new);
  if cardinality(v_edges) = 0 then
    return;
  end if;
  v_others := array(select p from finance.parts p join (
      select distinct v.debit_wallet_id as wallet_id, v.debit_version as version from unnest(v_edges) v
      union select v.credit_wallet_id, v.credit_version from unnest(v_edges) v) s
    on p.wallet_id = s.wallet_id and p.wallet_version = s.version);
  v_unique := array(
    with every as (
      select distinct v.debit_wallet_id, v.debit_version, v.credit_wallet_id, v.credit_version
      from unnest(v_edges || finance.list_pair_candidates(p_book.book_id, v_others)) v
    ), counted as (
      select e.*, count(*) over (partition by e.debit_wallet_id, e.debit_version) as credits,
        count(*) over (partition by e.credit_wallet_id, e.credit_version) as debits
      from every e
    )
    select v from unnest(v_edges) v join counted c using (debit_wallet_id, debit_version, credit_wallet_id, credit_version)
    where c.credits = 1 and c.debits = 1);
  insert into finance.pairs select v.* from unnest(v_edges) v on conflict do nothing;
  if cardinality(v_unique) > 0 then
    perform finance.start_run(c_run_id, p_book.book_id, 'pair', null);
    perform finance.join_pairs(p_book.book_id, v_unique, c_run_id, null);
  end if;
end $$;

-- The pairs that some entries could be in, as suggestions: at most three for each entry, the nearest days first. An entry takes part
-- if it is a deposit or withdrawal with one part that has no category of its own yet, or is a transfer.
create or replace function finance.list_pair_candidates(p_book_id uuid, p_parts finance.parts[]) returns finance.pairs[]
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  c_days constant integer := 4;
  c_most constant integer := 3;
  c_most_read constant integer := 100;    -- of one amount within the days
  c_now constant timestamptz := wallet.clock();
  v_open constant uuid[] := array[finance.find_system_category(p_book_id, 'uncategorised_income'),
    finance.find_system_category(p_book_id, 'uncategorised_expense'), finance.find_system_category(p_book_id, 'own_transfers')];
begin
  return array(select distinct on (u.debit_wallet_id, u.debit_version, u.credit_wallet_id, u.credit_version)
      row(wallet.new_id(), p_book_id, u.debit_wallet_id, u.debit_version, u.credit_wallet_id, u.credit_version, 'suggested', true, null,
        c_now, c_now)::finance.pairs
    from (select case when n.amount < 0 then n.wallet_id else o.wallet_id end as debit_wallet_id,
        case when n.amount < 0 then n.wallet_version else o.wallet_version end as debit_version,
        case when n.amount < 0 then o.wallet_id else n.wallet_id end as credit_wallet_id,
        case when n.amount < 0 then o.wallet_version else n.wallet_version end as credit_version
      from unnest(p_parts) n
        join wallet.wallet_transactions t on t.wallet_id = n.wallet_id and t.wallet_version = n.wallet_version
          and t.amount = abs(n.amount) and t.transaction_type in ('deposit', 'withdraw')
        cross join lateral (select f.wallet_id, f.wallet_version from (
            select q.wallet_id, q.wallet_version, q.booked_on, q.category_id, q.pair_id from finance.parts q
            where q.book_id = p_book_id and q.amount = -n.amount
              and q.booked_on between n.booked_on - case when n.amount > 0 then c_days else 0 end
                and n.booked_on + case when n.amount < 0 then c_days else 0 end
            limit c_most_read) f
          join wallet.wallet_transactions s on s.wallet_id = f.wallet_id and s.wallet_version = f.wallet_version
            and s.amount = t.amount and s.currency = t.currency and s.transaction_type in ('deposit', 'withdraw')
          where f.wallet_id <> n.wallet_id and f.pair_id is null and f.category_id = any (v_open)
            and not exists (select from finance.pairs d where d.book_id = p_book_id and d.state = 'dismissed'
              and d.debit_wallet_id = case when n.amount < 0 then n.wallet_id else f.wallet_id end
              and d.debit_version = case when n.amount < 0 then n.wallet_version else f.wallet_version end
              and d.credit_wallet_id = case when n.amount < 0 then f.wallet_id else n.wallet_id end
              and d.credit_version = case when n.amount < 0 then f.wallet_version else n.wallet_version end)
          order by abs(f.booked_on - n.booked_on), f.wallet_id, f.wallet_version limit c_most) o
      where n.pair_id is null and n.category_id = any (v_open)) u);
end $$;

-- Makes pairs of the book of entries that have none, in a run. Parts that no person set become transfers between own wallets.
-- What else was suggested for these entries is no suggestion any more.
create or replace function finance.join_pairs(p_book_id uuid, p_pairs finance.pairs[], p_run_id uuid, p_caller jsonb) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  c_own constant uuid := finance.find_system_category(p_book_id, 'own_transfers');
begin
  insert into finance.pairs as o select v.* from unnest(p_pairs) v
    on conflict (book_id, debit_wallet_id, debit_version, credit_wallet_id, credit_version) do nothing;
  update finance.pairs o set state = 'paired', is_automatic = v.is_automatic, run_id = p_run_id, updated_at = wallet.clock()
    from unnest(p_pairs) v where o.book_id = p_book_id and o.debit_wallet_id = v.debit_wallet_id
      and o.debit_version = v.debit_version and o.credit_wallet_id = v.credit_wallet_id and o.credit_version = v.credit_version;
  delete from finance.pairs o using unnest(p_pairs) v where o.book_id = p_book_id and o.state = 'suggested'
    and o.debit_wallet_id = v.debit_wallet_id and o.debit_version = v.debit_version;
  delete from finance.pairs o using unnest(p_pairs) v where o.book_id = p_book_id and o.state = 'suggested'
    and o.credit_wallet_id = v.credit_wallet_id and o.credit_version = v.credit_version;
  perform finance.replace_parts(p_book_id, array(
    select row(p.book_id, p.wallet_id, p.wallet_version, p.part, p.booked_on, p.amount, case when p.edited then p.category_id else c_own end,
      p.payee_id, p.tag_ids, p.payment_method_id, p.note, o.pair_id, p.rule_id, p.edited, '')::finance.parts
    from unnest(p_pairs) v
      join finance.pairs o on o.book_id = p_book_id and o.debit_wallet_id = v.debit_wallet_id and o.debit_version = v.debit_version
        and o.credit_wallet_id = v.credit_wallet_id and o.credit_version = v.credit_version
      join finance.parts p on (p.wallet_id, p.wallet_version)
        in ((o.debit_wallet_id, o.debit_version), (o.credit_wallet_id, o.credit_version))), p_run_id, p_caller);
end $$;

-- Dissolves pairs of the book, which were never to be: the service does not make or suggest them again. Parts that no person set are
-- no transfers any more.
create or replace function finance.dissolve_pairs(p_book_id uuid, p_pair_ids uuid[], p_run_id uuid, p_caller jsonb) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  c_own constant uuid := finance.find_system_category(p_book_id, 'own_transfers');
  c_income constant uuid := finance.find_system_category(p_book_id, 'uncategorised_income');
  c_expense constant uuid := finance.find_system_category(p_book_id, 'uncategorised_expense');
  v_parts finance.parts[];
begin
  v_parts := array(select row(p.book_id, p.wallet_id, p.wallet_version, p.part, p.booked_on, p.amount,
      case when p.edited or (finance.find_label_path(p.category_id))[1] <> c_own then p.category_id
        when p.amount > 0 then c_income else c_expense end,
      p.payee_id, p.tag_ids, p.payment_method_id, p.note, null, p.rule_id, p.edited, '')::finance.parts
    from finance.pairs o join finance.parts p on (p.wallet_id, p.wallet_version)
      in ((o.debit_wallet_id, o.debit_version), (o.credit_wallet_id, o.credit_version))
    where o.book_id = p_book_id and o.pair_id = any (p_pair_ids) and o.state = 'paired');
  perform finance.replace_parts(p_book_id, v_parts, p_run_id, p_caller);
  update finance.pairs o set state = 'dismissed', updated_at = wallet.clock()
    where o.book_id = p_book_id and o.pair_id = any (p_pair_ids);
end $$;
