-- Rules: what sets the categories, payees, tags and notes of parts by conditions, and splits them.

create table finance.rules (
  rule_id uuid primary key,
  book_id uuid not null references finance.books (book_id),
  place integer not null,
  name text not null,
  match text not null check (match in ('all', 'any')),
  conditions jsonb not null,
  actions jsonb not null,
  stop boolean not null,
  active boolean not null,
  label_ids uuid[] not null,
  version bigint not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (book_id, place) deferrable initially immediate
) with (fillfactor = 90);
comment on column finance.rules.place is 'the order in which the rules of a book are applied; gaps mean nothing';
comment on column finance.rules.conditions is 'as the service has checked them: an array of {field, op, value}';
comment on column finance.rules.label_ids is 'the labels that conditions and actions name: they are in use';

-- The list of rules of a book, as a whole.
create table finance.rule_lists (
  book_id uuid primary key references finance.books (book_id),
  version bigint not null
) with (fillfactor = 80);
comment on column finance.rule_lists.version is 'counts the changes of any rule of the book, and of their order';

-- Of each wallet of a book with rules, the version up to which rules were applied to its entries: what is catalogued beyond it is due.
-- A wallet without a row is due from its first entry. Rules are applied by themselves to what is catalogued while a rule is active; what
-- was before is changed by a job that the owner asks for.
create table finance.ruled (
  wallet_id uuid primary key,
  book_id uuid not null references finance.books (book_id),
  done_version bigint not null check (done_version > 0)
) with (fillfactor = 80);
create index ruled_book on finance.ruled (book_id, wallet_id);
