-- Whether a text is a UUID with its four dashes. Null for null. No bounded repetition: a regular expression with {8} is ten times
-- slower.
create or replace function wallet.is_uuid(p_text text) returns boolean
language sql immutable as $$
  select p_text like '________-____-____-____-____________' and length(replace(p_text, '-', '')) = 32
    and p_text collate "C" !~ '[^0-9a-fA-F-]'
$$;
