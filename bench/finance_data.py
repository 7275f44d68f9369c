# asyncpg does not type the values of rows.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""One book with a long history, for all measurements of money management: ten years in five mirrored wallets.

PostgreSQL computes the rows. They pass the walks of `verify`: parts sum to their entries, and days to their parts.
"""

import json
from typing import Any

import asyncpg

from wallet_service.core.identifiers import new_id

WALLETS = 5
DAYS = 3652
FIRST = "2016-01-01"
LAST = "2025-12-30"

_WALLETS = """
insert into wallet.wallets (wallet_id, user_id, name, wallet_type, currency, keeping, created_at, updated_at)
  select wallet.new_id(), $1, 'wallet ' || i, 'fiat', 'EUR', 'mirrored', now(), now() from generate_series(1, $2::int) i
"""
_ENTRIES = """
insert into wallet.wallet_transactions
  select w.wallet_id, i.i, gen_random_uuid(), 0, d.at, d.at,
    case when d.amount > 0 then 'deposit' else 'withdraw' end, case when d.amount > 0 then 'credit' else 'debit' end,
    'EUR', abs(d.amount), sum(d.amount) over earlier - d.amount, sum(d.amount) over earlier,
    case when d.amount > 0 then 'mirrored:deposits' else 'mirrored:withdrawals' end, null, w.user_id, 'bench', null,
    'shop ' || i.i % 1000, '{}'
  from wallet.wallets w cross join generate_series(1, $2::int) i (i)
    cross join lateral (select $3::text::timestamptz + i.i::float8 * $4::int / $2::int * interval '1 day' as at,
      case when i.i % 10 = 0 then 1 else -1 end * (100 + abs(hashint8(i.i) % 9900)) / 100.0 as amount) d
  where w.user_id = $1
  window earlier as (partition by w.wallet_id order by i.i)
"""
_NEWEST = """
update wallet.wallets w set last_entry = t.wallet_version, balance = t.balance_after, last_posted_at = t.created_at
  from wallet.wallet_transactions t where w.user_id = $1 and t.wallet_id = w.wallet_id and t.wallet_version = $2
"""
_CATALOGUED = """
insert into finance.catalogued select w.wallet_id, $2, w.last_entry from wallet.wallets w where w.user_id = $1
"""
_PARTS = """
with labels as (
  select l.label_id, row_number() over (order by l.label_id) - 1 as place, count(*) over () as labels
  from finance.labels l where l.book_id = $2
), words as materialized (    -- of each text once: it is the slowest part of a row
  select d.description, finance.build_words($2, d.description) as words from (select distinct t.description
    from wallet.wallets w join wallet.wallet_transactions t on t.wallet_id = w.wallet_id where w.user_id = $1) d
)
insert into finance.parts (book_id, wallet_id, wallet_version, part, booked_on, amount, category_id, words)
  select $2, t.wallet_id, t.wallet_version, 0, (t.effective_at at time zone 'UTC')::date,
    trim_scale(case t.direction when 'credit' then t.amount else -t.amount end), l.label_id, d.words
  from wallet.wallets w join wallet.wallet_transactions t on t.wallet_id = w.wallet_id
    join labels l on l.place = abs(hashint8(t.wallet_version * 7)) % l.labels
    join words d on d.description = t.description
  where w.user_id = $1
"""
_DAY_SUMS = """
insert into finance.day_sums (book_id, booked_on, category_id, wallet_id, parts, credits, debits)
  select p.book_id, p.booked_on, p.category_id, p.wallet_id, count(*),
    coalesce(sum(p.amount) filter (where p.amount > 0), 0), coalesce(-sum(p.amount) filter (where p.amount < 0), 0)
  from finance.parts p where p.book_id = $1
  group by grouping sets ((p.book_id, p.booked_on, p.wallet_id, p.category_id), (p.book_id, p.booked_on, p.wallet_id))
"""

_INDEXES = """
select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
from pg_index i where i.indrelid = 'finance.parts'::regclass and not i.indisprimary
"""
_CATEGORIES = """
select l.label_id::text as id from finance.list_category_paths($1) p join finance.labels l on l.label_id = p.category_id
where p.root = 'expense' and l.parent_id is not null order by l.label_id
"""
_RATES = """
insert into finance.rates (book_id, base, quote, day, rate, source, updated_at)
  select null, 'EUR', c.code, d::date, 1 + abs(hashint8(extract(epoch from d)::bigint)) % 10000 / 20000.0, 'bench', now()
  from unnest('{USD,GBP,CHF}'::text[]) c (code), generate_series('2015-12-20', '2025-12-31', interval '1 day') d
  where extract(isodow from d) < 6
  on conflict do nothing
"""


async def build_book(connection: "asyncpg.Connection[Any]", parts: int, *, catalogued: bool = True) -> str:
    """Build the book. Returns its id.

    Args:
        connection: as superuser.
        parts: how many; a multiple of the wallets.
        catalogued: whether its entries have parts; else they are only posted.
    """
    user, book_id, each = f"bench-{new_id()}", new_id(), parts // WALLETS
    book = {"user_id": user, "base_currency": "EUR", "time_zone": "UTC", "month_start_day": 1}
    book |= {"week_start": "monday", "year_start_month": 1}
    await connection.execute(
        "select wallet_api.create_book($1, 'bench', $1::uuid::text, '00', $2, null)",
        book_id,
        json.dumps(book),
    )
    await connection.execute(_WALLETS, user, WALLETS)
    await connection.execute(_ENTRIES, user, each, FIRST, DAYS)
    await connection.execute(_NEWEST, user, each)
    await connection.execute(
        "vacuum analyze wallet.wallet_transactions"
    )  # else the joins below are nested loops
    if catalogued:
        await connection.execute(_CATALOGUED, user, book_id)
        indexes = await connection.fetch(_INDEXES)  # made again afterwards, which is several times as fast
        for index in indexes:
            await connection.execute(f"drop index {index['name']}")
        await connection.execute(_PARTS, user, book_id)
        for index in indexes:
            await connection.execute(index["definition"])
        await connection.execute(_DAY_SUMS, book_id)
    for table in ("finance.parts", "finance.day_sums"):
        await connection.execute(f"vacuum analyze {table}")
    return book_id


async def add_budgets(connection: "asyncpg.Connection[Any]", book_id: str, budgets: int = 50) -> None:
    """Monthly budgets of one category each since the first day; every second takes over what is left."""
    categories = await connection.fetch(_CATEGORIES, book_id)
    for number in range(budgets):
        budget_id = new_id()
        budget = {
            "book_id": book_id,
            "name": f"budget {number}",
            "amount": "500",
            "period": "monthly",
            "start_date": FIRST,
            "wallet_ids": [],
            "category_ids": [categories[number % len(categories)]["id"]],
            "items": [],
            "carry": ("none", "surplus")[number % 2],
            "prorate": False,
            "tiers": [75, 90, 100],
        }
        await connection.execute(
            "select wallet_api.create_budget($1, 'bench', $1::uuid::text, '00', $2, 1000, $3)",
            budget_id,
            json.dumps(budget),
            '{"actor": "bench", "client_id": "bench"}',
        )


async def add_rates(connection: "asyncpg.Connection[Any]") -> None:
    """The service's rates of three currencies to the euro on the working days of the ten years."""
    await connection.execute("delete from finance.rates where book_id is null and source = 'bench'")
    await connection.execute(_RATES)
    await connection.execute("analyze finance.rates")
