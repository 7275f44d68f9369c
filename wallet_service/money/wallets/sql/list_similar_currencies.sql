-- The currencies that a caller may have meant by an unknown code, as an array: at most 50 with the same first or last letter,
-- those of about the same length first. The service decides which of them is the closest.
create or replace function wallet.list_similar_currencies(p_code text) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select coalesce(jsonb_agg(s.code), '[]') from (select c.code from wallet.currencies c
    where left(c.code, 1) = left(p_code, 1) or right(c.code, 1) = right(p_code, 1)
    order by abs(length(c.code) - length(p_code)), c.code limit 50) s);
end $$;
