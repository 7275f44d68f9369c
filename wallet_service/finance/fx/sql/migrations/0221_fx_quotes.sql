-- Quotes, the order in which rates are listed, and what is known of the provider.

create index rates_by_day on finance.rates (book_id, day desc, base, quote);

create table finance.quotes (
  quote_id uuid primary key,
  client_id text not null,
  user_id text,
  from_currency text collate "C" not null,
  to_currency text collate "C" not null,
  amount numeric not null,
  to_amount numeric not null,
  rate_from numeric not null,
  rate_to numeric not null,
  rated_on date not null,
  is_stale boolean not null,
  spread_bps integer not null,
  remainder numeric not null,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
comment on column finance.quotes.client_id is 'who asked for it, and alone may use it';
comment on column finance.quotes.remainder is 'what rounding left: the exact amount less to_amount';
create index quotes_expired on finance.quotes (expires_at);

create table finance.rate_feeds (
  url_hash bytea primary key,
  etag text,
  checked_at timestamptz not null
);
comment on column finance.rate_feeds.url_hash is 'SHA-256 of the URL, which may have a secret in it';

-- What a conversion does, as its parts pass it to each other.
create type finance.conversion as (
  from_currency text,
  to_currency text,
  amount numeric,
  to_amount numeric,      -- null: there is no rate
  rate_from numeric,      -- null: the caller gave both amounts
  rate_to numeric,
  rated_on date,
  is_stale boolean,
  spread_bps integer,
  remainder numeric,
  quote_id uuid
);
