-- Decides an operation of type convert (ledger: open_room_state.sql): an amount of one wallet becomes one of another currency in a
-- second wallet of the same owner, by the rate, by a quote, or as the caller says it happened. It is posted as an exchange with two
-- entries, which the kernel checks and other rooms follow as any exchange. terms: to_amount, quote_id; defaults: spread_bps, is_on (in
-- operating wallets), max_age_h.
create or replace function finance.decide_convert(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_from constant wallet.account := p_step.accounts[1];
  v_to constant wallet.account := p_step.accounts[2];
  v_op wallet.operation := p_operation;
  v_priced finance.conversion;
  v_account text := case v_from.keeping when 'mirrored' then 'mirrored:' else '' end || 'fx:' || v_from.currency || '-' || v_to.currency;
begin
  p_step.decision := finance.refuse_conversion(p_operation, v_from, v_to, p_now);
  if (p_step.decision).status is not null then
    return p_step;
  end if;
  v_priced := finance.price_operation(p_operation, v_from, v_to, p_now);
  p_step.decision := coalesce(finance.refuse_price(v_priced), finance.refuse_operating(p_operation, v_from, v_priced, p_now),
    case when p_operation.caller ? 'restriction' then
      finance.refuse_restricted_conversion(p_operation.caller -> 'restriction', v_priced, v_account) end);
  if (p_step.decision).status is not null then
    return p_step;
  end if;
  v_op.type := 'exchange';
  v_op.form := 'entries';
  v_op.acting_user_id := null;    -- what a user may do was checked for the type convert
  v_op.metadata := v_op.metadata || jsonb_strip_nulls(jsonb_build_object('fx_rate', finance.format_rate(v_priced),
    'fx_rated_on', v_priced.rated_on, 'fx_quote_id', v_priced.quote_id));
  p_step.decision := wallet.decide_operation(v_op,
    array[row(v_from.wallet_id, -v_priced.amount, v_account), row(v_to.wallet_id, v_priced.to_amount, v_account)]::wallet.operation_entry[],
    p_step.accounts, array[v_from.wallet_id, v_to.wallet_id], null, 0, p_now);
  if (p_step.decision).status = 'posted' then
    p_step.decision.result := finance.format_conversion(p_operation, v_priced, v_from, v_to);
    p_step.state.marks := coalesce((p_step.state).marks, 0) | 64;    -- its result is kept with its key
  end if;
  return p_step;
end $$;

-- Why a conversion can't be, whatever its price; null if it can.
create or replace function finance.refuse_conversion(p_operation wallet.operation, p_from wallet.account, p_to wallet.account,
  p_now timestamptz) returns wallet.decision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  t constant jsonb := coalesce(p_operation.terms, '{}');
  v_to_amount constant numeric := wallet.read_amount(t ->> 'to_amount');
  v_quote finance.quotes;
begin
  if p_from.currency = p_to.currency then
    return wallet.build_refusal('validation_failed', wallet.build_fault('/to_wallet_id', 'must have another currency'));
  elsif not finance.have_one_owner(p_from.wallet_id, p_to.wallet_id) then
    return wallet.build_refusal('validation_failed', wallet.build_fault('/to_wallet_id',
      'must be a wallet of the same user or organization'));
  elsif p_from.keeping = 'operating' and (t -> 'defaults' ->> 'is_on')::boolean is not true then
    return wallet.build_refusal('conversion_off', jsonb_build_object('wallet_id', p_from.wallet_id));
  elsif t ? 'quote_id' then
    if t ? 'to_amount' then
      return wallet.build_refusal('validation_failed', wallet.build_fault('/to_amount', 'a quote has it'));
    end if;
    v_quote := finance.find_quote(p_operation);
    if v_quote.quote_id is null then
      return wallet.build_refusal('quote_not_found', jsonb_build_object('quote_id', t -> 'quote_id'));
    elsif v_quote.expires_at <= p_now then
      return wallet.build_refusal('quote_expired', jsonb_build_object('quote_id', v_quote.quote_id,
        'expires_at', wallet.format_time(v_quote.expires_at)));
    elsif (v_quote.from_currency, v_quote.to_currency) <> (p_from.currency, p_to.currency) or v_quote.amount <> p_operation.amount then
      return wallet.build_refusal('validation_failed', wallet.build_fault('/quote_id', 'is of another amount, or other currencies'));
    end if;
  elsif p_operation.amount is null then
    return wallet.build_refusal('validation_failed', wallet.build_fault('/amount', 'must be given'));
  elsif t ? 'to_amount' then
    if p_from.keeping = 'operating' then
      return wallet.build_refusal('validation_failed', wallet.build_fault('/to_amount', 'only in mirrored wallets: there it records'
        ' what a bank did'));
    elsif v_to_amount is null then
      return wallet.build_refusal('validation_failed', wallet.build_fault('/to_amount', 'must be a positive amount'));
    elsif scale(v_to_amount) > p_to.exponent then
      return wallet.build_refusal('amount_precision', jsonb_build_object('currency', p_to.currency, 'exponent', p_to.exponent));
    end if;
  end if;
  return null;
end $$;

-- The quote that an operation names, if it is its caller's: another's is not there for it.
create or replace function finance.find_quote(p_operation wallet.operation) returns finance.quotes
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_quote finance.quotes;
begin
  if wallet.is_uuid(p_operation.terms ->> 'quote_id') then
    select * into v_quote from finance.quotes q where q.quote_id = (p_operation.terms ->> 'quote_id')::uuid
      and q.client_id = p_operation.client_id and q.user_id is not distinct from p_operation.acting_user_id;
  end if;
  return v_quote;
end $$;

-- Whether two wallets are of the same user, or of the same organization.
create or replace function finance.have_one_owner(p_wallet_id uuid, p_other uuid) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select a.organization_id is not distinct from b.organization_id and (a.organization_id is not null or a.user_id = b.user_id)
    from wallet.wallets a, wallet.wallets b where a.wallet_id = p_wallet_id and b.wallet_id = p_other);
end $$;

-- The price of a conversion: that of its quote; the amounts that the caller gave; or by the rate. In operating wallets by the service's
-- rates of today, whatever the operation is said to be effective at: otherwise the caller would choose the best day, or write its own
-- rate. A mirrored wallet takes the rate of the day on which it happened, in its book's zone, and the book's own rates first.
create or replace function finance.price_operation(p_operation wallet.operation, p_from wallet.account, p_to wallet.account,
  p_now timestamptz) returns finance.conversion
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  t constant jsonb := coalesce(p_operation.terms, '{}');
  v_spread constant integer := coalesce((t -> 'defaults' ->> 'spread_bps')::integer, 0);
  v_book finance.books;
begin
  if t ? 'quote_id' then
    return finance.read_quote(finance.find_quote(p_operation));
  elsif t ? 'to_amount' then
    return row(p_from.currency, p_to.currency, p_operation.amount, wallet.read_amount(t ->> 'to_amount'), null, null, null, false, null,
      null, null)::finance.conversion;
  elsif p_from.keeping = 'operating' then
    return finance.price_conversion(null, p_from.currency, p_to.currency, p_operation.amount, (p_now at time zone 'UTC')::date, v_spread);
  end if;
  select b.* into v_book from wallet.wallets w join finance.books b on b.book_id = finance.find_book_of_wallet(w.user_id, w.organization_id)
    where w.wallet_id = p_from.wallet_id;
  return finance.price_conversion(v_book.book_id, p_from.currency, p_to.currency, p_operation.amount,
    finance.find_book_day(coalesce(p_operation.effective_at, p_now), coalesce(v_book.time_zone, 'UTC')), v_spread);
end $$;

-- The refusal of a rate that is too old for an operating wallet. A quote was checked when it was made.
create or replace function finance.refuse_operating(p_operation wallet.operation, p_from wallet.account, p_priced finance.conversion,
  p_now timestamptz) returns wallet.decision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return case when p_from.keeping = 'operating' and p_priced.quote_id is null
    then finance.refuse_old_rate(p_priced, coalesce((p_operation.terms -> 'defaults' ->> 'max_age_h')::integer, 72), p_now) end;
end $$;

-- The refusal of a key that is restricted to other counter accounts, or to smaller amounts; null if it may.
create or replace function finance.refuse_restricted_conversion(p_restriction jsonb, p_priced finance.conversion, p_counter_account text)
returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_most constant numeric := greatest(p_priced.amount, p_priced.to_amount);
begin
  if p_restriction -> 'counter_accounts' is not null and not exists (
      select from jsonb_array_elements_text(p_restriction -> 'counter_accounts') a
      where a = p_counter_account or right(a, 1) = '*' and starts_with(p_counter_account, left(a, -1))) then
    return wallet.build_refusal('forbidden', jsonb_build_object('counter_account', p_counter_account,
      'allowed', p_restriction -> 'counter_accounts'));
  elsif v_most > (p_restriction ->> 'max_amount')::numeric then
    return wallet.build_refusal('forbidden', jsonb_build_object('amount', trim_scale(v_most)::text,
      'max_amount', p_restriction ->> 'max_amount'));
  end if;
  return null;
end $$;

-- A conversion as its caller sees it.
create or replace function finance.format_conversion(p_operation wallet.operation, p_priced finance.conversion, p_from wallet.account,
  p_to wallet.account) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v)::text from (select p_operation.transaction_id, p_from.wallet_id, p_to.wallet_id as to_wallet_id,
    p_from.currency as "from", p_to.currency as "to", wallet.format_amount(p_priced.amount, p_from.exponent) as amount,
    wallet.format_amount(p_priced.to_amount, p_to.exponent) as to_amount, finance.format_rate(p_priced) as rate, p_priced.rated_on,
    p_priced.is_stale as stale, p_priced.spread_bps, p_priced.remainder::text as remainder, p_priced.quote_id) v);
end $$;
