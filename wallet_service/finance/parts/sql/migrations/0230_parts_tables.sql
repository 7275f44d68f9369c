-- What the entries of a book's wallets were for: their parts, and the sums of days.

-- Of each wallet of a book, the version up to which its entries have parts. Versions are gapless, so what is missing is known.
create table finance.catalogued (
  wallet_id uuid primary key,
  book_id uuid not null references finance.books (book_id),
  done_version bigint not null check (done_version > 0)
);
create index catalogued_book on finance.catalogued (book_id, wallet_id);

-- The parts of an entry, which sum to it. Written by finance.replace_parts alone.
create table finance.parts (
  book_id uuid not null,
  wallet_id uuid not null,
  wallet_version bigint not null,
  part smallint not null,
  booked_on date not null,
  amount numeric not null,
  category_id uuid not null,
  payee_id uuid,
  tag_ids uuid[] not null default '{}',
  payment_method_id uuid,
  note text,
  pair_id uuid,
  rule_id uuid,
  edited boolean not null default false,
  words tsvector not null default '',
  primary key (wallet_id, wallet_version, part)
) with (fillfactor = 90);
comment on column finance.parts.part is 'its number within the entry, from 0 without gaps';
comment on column finance.parts.booked_on is 'the day in the zone of the book, one for all parts of an entry';
comment on column finance.parts.amount is 'signed: what credits the wallet is positive';
comment on column finance.parts.category_id is 'as stored; readers follow merges';
comment on column finance.parts.edited is 'a person set it: no rule changes it unless it says so';
comment on column finance.parts.words is 'of the note and of the texts of the entry, and the id of the book: what a search finds';
create index parts_day on finance.parts (book_id, booked_on, wallet_id, wallet_version, part);
create index parts_category on finance.parts (book_id, category_id, booked_on, wallet_id, wallet_version, part);
create index parts_wallet on finance.parts (book_id, wallet_id, booked_on, wallet_version, part);
create index parts_amount on finance.parts (book_id, amount, booked_on, wallet_id, wallet_version, part);
create index parts_payee on finance.parts (book_id, payee_id, booked_on, wallet_id, wallet_version, part)
  where payee_id is not null;
create index parts_tags on finance.parts using gin (tag_ids) where tag_ids <> '{}';
create index parts_words on finance.parts using gin (words) where words <> '';
-- Large and ever growing, as the ledger is: little to do for each vacuum.
alter table finance.parts set (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
  autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- The sums of a day: of a category in a wallet, and (without category) of the wallet. Changed only by finance.replace_parts.
create table finance.day_sums (
  book_id uuid not null,
  booked_on date not null,
  category_id uuid,
  wallet_id uuid not null,
  parts integer not null,
  credits numeric not null,
  debits numeric not null,
  unique nulls not distinct (book_id, booked_on, category_id, wallet_id)
) with (fillfactor = 80);
comment on column finance.day_sums.category_id is 'as in the parts; null: all of the day in the wallet';
comment on column finance.day_sums.debits is 'positive';
-- The days of a wallet, for its balance at the end of each.
create index day_sums_wallet on finance.day_sums (book_id, wallet_id, booked_on) where category_id is null;

-- A change of parts that is made, and taken back, as a whole.
create table finance.runs (
  run_id uuid primary key,
  book_id uuid not null references finance.books (book_id),
  kind text not null check (kind in ('edit', 'bulk', 'rules', 'redate', 'pair', 'undo')),
  actor text not null,
  created_at timestamptz not null,
  undo_run_id uuid,
  undone_at timestamptz,
  undone_after text,
  restored integer not null default 0,
  kept jsonb not null default '[]'
);
comment on column finance.runs.undone_at is 'when taking it back ended; null: it was not taken back, or is being';
comment on column finance.runs.undone_after is 'up to where it was taken back';
comment on column finance.runs.kept is 'entries that were edited after it, and were left';
create index runs_book on finance.runs (book_id, run_id);

-- What runs changed: all parts of an entry before and after.
create table finance.part_changes (
  change_id bigint generated always as identity primary key,
  book_id uuid not null,
  run_id uuid not null,
  wallet_id uuid not null,
  wallet_version bigint not null,
  before jsonb not null,
  after jsonb not null,
  who text not null,
  at timestamptz not null
);
create index part_changes_run on finance.part_changes (run_id, wallet_id, wallet_version, change_id);
create trigger append_only before update or delete or truncate on finance.part_changes
  for each statement execute function wallet.refuse_change();

-- A debit in one wallet and a credit in another that are one movement of the owner's money, and what could be.
create table finance.pairs (
  pair_id uuid primary key,
  book_id uuid not null references finance.books (book_id),
  debit_wallet_id uuid not null,
  debit_version bigint not null,
  credit_wallet_id uuid not null,
  credit_version bigint not null,
  state text not null check (state in ('paired', 'suggested', 'dismissed')),
  is_automatic boolean not null,
  run_id uuid,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (debit_wallet_id <> credit_wallet_id)
);
comment on column finance.pairs.state is 'dismissed: was one or could have been one, and is never made or suggested again by the service';
create unique index pairs_entries on finance.pairs (book_id, debit_wallet_id, debit_version, credit_wallet_id, credit_version);
create index pairs_credit on finance.pairs (book_id, credit_wallet_id, credit_version);
create index pairs_state on finance.pairs (book_id, state, pair_id);
-- An entry has one other side.
create unique index pairs_one_credit on finance.pairs (debit_wallet_id, debit_version) where state = 'paired';
create unique index pairs_one_debit on finance.pairs (credit_wallet_id, credit_version) where state = 'paired';

-- The parts that came with a posting, until its entries are catalogued.
create table finance.posting_parts (
  transaction_id uuid not null,
  leg smallint not null,
  parts jsonb not null,
  primary key (transaction_id, leg)
);
comment on column finance.posting_parts.parts is
  'an array of {amount, category_id, payee_id, tag_ids, note}; amount: text, signed as in finance.parts';

-- What a list of parts selects by; null: not by this.
create type finance.part_filter as (
  categories uuid[],    -- as stored, with all that is under them and was merged into them
  payees uuid[],
  tags uuid[],
  wallet_id uuid,
  first date,           -- half open
  last date,
  least numeric,        -- of the amount without its sign
  most numeric,
  kind text,            -- the type of the operation that posted the entry
  query tsquery         -- the words of a text, in the book
);
-- A part that a list could show, and where it was read: a label or wallet, and the place among those that were read there.
create type finance.found_part as (
  part finance.parts,
  source uuid,
  place bigint
);
