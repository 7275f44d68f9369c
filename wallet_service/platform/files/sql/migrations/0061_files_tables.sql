-- Files, in chunks. A row of platform.files exists from the begin of an upload; callers see it once it is complete.
create table platform.files (
  file_id uuid primary key,
  owner text collate "C" not null,
  name text not null,
  media_type text not null,
  size_bytes bigint not null default 0,
  sha256 bytea,
  personal boolean not null,
  complete boolean not null default false,
  charged_bytes bigint not null default 0,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  keep_until timestamptz not null,
  check (not complete or sha256 is not null)
);
comment on column platform.files.charged_bytes is 'what the file counts for the quota of its owner; 0 once it was released';
comment on column platform.files.expires_at is 'of an upload: when it is given up unless another chunk arrives; of a complete file: keep_until, or when it was deleted';
create index files_by_owner on platform.files (owner, file_id);
create index files_by_expiry on platform.files (expires_at, file_id);

-- A chunk of 256 KiB; the last one of a file may be shorter. Personal ones are sealed by the vault.
create table platform.file_chunks (
  file_id uuid not null references platform.files,
  number integer not null,
  content bytea,
  sealed text,
  key_id text collate "C",
  primary key (file_id, number),
  check (num_nonnulls(content, sealed) = 1 and (sealed is null) = (key_id is null))
);
-- Ciphertext can't be compressed.
alter table platform.file_chunks alter column sealed set storage external;

-- What the files of an owner count together: the sum of charged_bytes.
create table platform.file_usage (
  owner text collate "C" primary key,
  bytes bigint not null check (bytes >= 0)
);

-- An idempotency key that was spent on an upload, and the response.
create table platform.file_keys (
  owner text collate "C" not null,
  key text collate "C" not null,
  file_id uuid not null,
  request_hash bytea not null,
  answer text,
  created_at timestamptz not null,
  primary key (owner, key)
);
