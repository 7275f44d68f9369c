-- Exchange rates of days: those of the service, and those that a book has of its own.

create table finance.rates (
  book_id uuid references finance.books (book_id),
  base text collate "C" not null,
  quote text collate "C" not null,
  day date not null,
  rate numeric not null check (rate > 0 and rate < 1e20),
  source text not null,
  updated_at timestamptz not null,
  unique nulls not distinct (book_id, base, quote, day),
  check (base <> quote)
);
comment on column finance.rates.book_id is 'the book whose own rate it is; null: of the service, for every book';
comment on column finance.rates.rate is 'what one unit of base is worth in units of quote';

-- How old a rate may be. The service writes its settings here, so that what SQL sums goes by them, too.
create table finance.rate_ages (
  is_only boolean primary key default true check (is_only),
  max_age_days smallint not null check (max_age_days between 0 and 366),
  stale_age_days smallint not null check (stale_age_days between 0 and 366)
);
comment on column finance.rate_ages.max_age_days is 'by how many days a rate may be older than the day that it is used for';
comment on column finance.rate_ages.stale_age_days is
  'while a newer rate may still come: by how many days it may be older than today. It is shown as stale';
insert into finance.rate_ages (max_age_days, stale_age_days) values (5, 45);

-- Currencies that joined the euro: from that day their rate is fixed by law (Council Regulations (EC) No 2866/98 and those after it).
create table finance.euro_rates (
  currency text collate "C" primary key,
  joined_on date not null,
  rate numeric not null check (rate > 0)
);
comment on column finance.euro_rates.rate is 'what one euro is worth in units of the currency';
insert into finance.euro_rates (currency, joined_on, rate) values
  ('ATS', '1999-01-01', 13.7603), ('BEF', '1999-01-01', 40.3399), ('DEM', '1999-01-01', 1.95583), ('ESP', '1999-01-01', 166.386),
  ('FIM', '1999-01-01', 5.94573), ('FRF', '1999-01-01', 6.55957), ('IEP', '1999-01-01', 0.787564), ('ITL', '1999-01-01', 1936.27),
  ('LUF', '1999-01-01', 40.3399), ('NLG', '1999-01-01', 2.20371), ('PTE', '1999-01-01', 200.482), ('GRD', '2001-01-01', 340.750),
  ('SIT', '2007-01-01', 239.640), ('CYP', '2008-01-01', 0.585274), ('MTL', '2008-01-01', 0.429300), ('SKK', '2009-01-01', 30.1260),
  ('EEK', '2011-01-01', 15.6466), ('LVL', '2014-01-01', 0.702804), ('LTL', '2015-01-01', 3.45280), ('HRK', '2023-01-01', 7.53450),
  ('BGN', '2026-01-01', 1.95583);
