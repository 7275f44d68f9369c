-- What is wrong with metadata, as the rest of a sentence that begins with its name; null when nothing is. SQL has these limits here
-- and nowhere else. They are those of HTTP (core/fields.py, platform/web/strict_json.py), as far as a value shows them: HTTP takes
-- numbers of at most 64 characters with an exponent of at most 400, so what it takes has at most 64 digits between the zeros at
-- both ends, and 464 characters when it is written out. Readers refuse longer numbers: Python's int ends at 4,300 digits.
create or replace function wallet.find_metadata_fault(p_metadata jsonb) returns text
language plpgsql immutable strict set search_path = pg_catalog, pg_temp as $$
declare
  v_text constant text := p_metadata::text;
begin
  if jsonb_typeof(p_metadata) not in ('object', 'null') or octet_length(v_text) > 16384 then
    return 'must be an object of at most 16 KiB';
  elsif octet_length(v_text) <= 64 then -- neither a long number nor a deep object fits in
    return null;
  elsif jsonb_path_exists(p_metadata, 'strict $.**{32 to last}') then
    return 'must not be nested more than 31 deep';
  elsif exists (
      select from jsonb_path_query(p_metadata, 'strict $.** ? (@.type() == "number")') n,
        lateral (select ltrim(translate(n::text, '-.', ''), '0') as digits) d
      where length(n::text) > 64 and (length(n::text) > 464
        or length(case when n::text like '%.%' then d.digits else rtrim(d.digits, '0') end) > 64)) then
    return 'must not have a number with more than 64 digits or 464 characters';
  end if;
  return null;
end $$;
