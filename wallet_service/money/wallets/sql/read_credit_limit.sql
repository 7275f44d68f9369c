-- A credit limit as the caller wrote it: like an amount, 0 is allowed, and no more decimals than the currency has; otherwise the
-- call is refused. Null where the caller gave none.
create or replace function wallet.read_credit_limit(p_text text, p_currency text) returns numeric
language plpgsql stable strict set search_path = pg_catalog, pg_temp as $$
declare
  v_limit numeric := case when p_text ~ '^0+(\.0+)?$' then 0::numeric else wallet.read_amount(p_text) end;
  v_exponent integer := (select c.exponent from wallet.currencies c where c.code = p_currency);
begin
  if v_limit is null then
    perform wallet.refuse_call('amount_invalid', '{"errors": [{"in": "body", "pointer": "/credit_limit", "code": "amount_invalid",'
      ' "detail": "must be a decimal number of at most 20 digits before the point, 0 or more"}]}');
  elsif scale(v_limit) > v_exponent then
    perform wallet.refuse_call('amount_precision', jsonb_build_object('currency', p_currency, 'exponent', v_exponent));
  end if;
  return v_limit;
end $$;
