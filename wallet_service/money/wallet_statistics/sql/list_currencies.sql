-- Every currency in the order of its code: {"items": […], "next_cursor": null}.
create or replace function wallet_api.list_currencies() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select '{"items":[' || string_agg(row_to_json(c)::text, ',' order by c.code) || '],"next_cursor":null}'
    from (select code, exponent, kind, name from wallet.currencies) c);
end $$;
