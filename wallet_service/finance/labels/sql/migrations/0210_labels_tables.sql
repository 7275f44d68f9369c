-- Categories, payees and tags: what the parts of a book's entries are called by.

create table finance.labels (
  label_id uuid primary key,
  book_id uuid not null references finance.books (book_id),
  kind text not null check (kind in ('category', 'payee', 'tag')),
  name text not null,
  parent_id uuid,
  merged_into uuid,
  color text,
  icon text,
  system_key text,
  tax_code text,
  archived_at timestamptz,
  version bigint not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (book_id, kind, label_id),
  -- A label of another book or kind can't be a parent, whatever a function does.
  foreign key (book_id, kind, parent_id) references finance.labels (book_id, kind, label_id),
  foreign key (book_id, kind, merged_into) references finance.labels (book_id, kind, label_id),
  check (label_id <> parent_id and label_id <> merged_into),
  check (kind = 'category' or system_key is null)
) with (fillfactor = 90);
comment on column finance.labels.parent_id is 'the level above; null: a root. Readers follow a merge of the parent';
comment on column finance.labels.merged_into is 'readers take this label instead; null: it is none that was merged';
comment on column finance.labels.system_key is 'of a category that each new book has: what the service finds it by, whatever its name';
-- Two labels under one parent have different names, whatever their capitals. One that was merged is out of the way.
create unique index labels_name on finance.labels
  (book_id, kind, coalesce(parent_id, '00000000-0000-0000-0000-000000000000'), lower(name)) where merged_into is null;
create unique index labels_system_key on finance.labels (book_id, system_key) where system_key is not null;
create index labels_children on finance.labels (book_id, kind, parent_id) where parent_id is not null;
create index labels_merged on finance.labels (book_id, kind, merged_into) where merged_into is not null;
