-- Books of persons and of organizations, and what their wallets are for.

create table finance.books (
  book_id uuid primary key,
  user_id text collate "C",
  organization_id text collate "C",
  base_currency text collate "C" not null references wallet.currencies (code),
  time_zone text not null,
  month_start_day smallint not null check (month_start_day between 1 and 31),
  week_start smallint not null check (week_start between 1 and 7),
  year_start_month smallint not null check (year_start_month between 1 and 12),
  version bigint not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((user_id is null) <> (organization_id is null))
);
comment on column finance.books.week_start is 'ISO: 1 is Monday';
comment on column finance.books.version is 'changes of the book itself; If-Match compares it';
-- One book of a person or organization. By these the book of a wallet is found.
create unique index books_of_user on finance.books (user_id) where user_id is not null;
create unique index books_of_organization on finance.books (organization_id) where organization_id is not null;

-- What a wallet of a book is for, where that was set. Which wallets belong to a book follows from their owners and is not stored.
create table finance.book_wallets (
  book_id uuid not null references finance.books (book_id),
  wallet_id uuid not null,
  purpose text not null,
  updated_at timestamptz not null,
  primary key (book_id, wallet_id)
);

-- Reserved: other persons who share a person's book. Nothing reads or writes it yet. Members of an organization share its book
-- without it.
create table finance.book_members (
  book_id uuid not null references finance.books (book_id),
  user_id text collate "C" not null,
  added_at timestamptz not null,
  primary key (book_id, user_id)
);
