-- Budgets of a book: how much may be spent in each period, and on what. What was spent is read from the day sums.

create table finance.budgets (
  budget_id uuid primary key,
  book_id uuid not null references finance.books (book_id),
  name text not null,
  amount numeric(38, 18) not null check (amount >= 0),
  currency text collate "C" not null references wallet.currencies (code),
  period text not null check (period in ('daily', 'weekly', 'monthly', 'quarterly', 'yearly')),
  start_date date not null,
  end_date date,
  wallet_ids uuid[] not null,
  category_ids uuid[] not null,
  carry text not null check (carry in ('none', 'surplus', 'full')),
  carry_cap numeric(38, 18) check (carry_cap >= 0),
  prorate boolean not null,
  tiers integer[] not null,
  watched_from date not null,
  checked_on date not null,
  version bigint not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (book_id, budget_id),
  check (start_date < end_date),
  check (carry <> 'none' or carry_cap is null)
) with (fillfactor = 90);
comment on column finance.budgets.end_date is 'the first day that is not in it; null: it has no end';
comment on column finance.budgets.wallet_ids is 'empty: all wallets of the book';
comment on column finance.budgets.category_ids is 'each with all that is under it; empty: all expenses';
comment on column finance.budgets.watched_from is 'the day of its creation: tiers of periods that had ended by then are no events';
comment on column finance.budgets.checked_on is 'the day up to which tiers were looked for';

-- Shares of a budget, each for a category and what is under it.
create table finance.budget_items (
  budget_id uuid not null references finance.budgets (budget_id) on delete cascade,
  place smallint not null,
  category_id uuid not null,
  amount numeric(38, 18) not null check (amount >= 0),
  primary key (budget_id, place),
  unique (budget_id, category_id)
);

-- Tiers that were reached, each an event. One that a higher amount re-armed stays, and may be reached again.
create table finance.budget_alerts (
  alert_id uuid primary key,
  budget_id uuid not null references finance.budgets (budget_id) on delete cascade,
  first_day date not null,
  tier integer not null,
  reached_at timestamptz not null,
  rearmed_at timestamptz
);
create unique index budget_alerts_once on finance.budget_alerts (budget_id, first_day, tier) where rearmed_at is null;
create index budget_alerts_budget on finance.budget_alerts (budget_id);

-- The figures of a budget in a period, not rounded. left_out: what counts for the period and has no rate, {currency: amount}; stale:
-- rates that are older than they should be, {currency: day}. Both are of the last period only.
create type finance.budget_figures as (
  budget_id uuid,
  first_day date,
  next_day date,
  amount numeric,
  carry numeric,
  spent numeric,
  is_complete boolean,
  left_out jsonb,
  stale jsonb
);
