-- A document for the audit trail: every value of a member that is called by one of p_names, or like a secret or a contact, is "***".
-- null stays null. Below a masked member the names of members stay, and every value in them is masked; an array there is one value.
create or replace function platform.mask_members(p_value jsonb, p_names text[], p_is_masked boolean default false,
  p_depth integer default 0) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  c_most_deep constant integer := 20;
  -- Parts of names, in lower case and without - and _. Patterns of like: a regular expression costs ten times as much.
  c_sensitive constant text[] := '{%passw%,%passphrase%,%secret%,%token%,%credential%,%authorization%,%cookie%,%apikey%,%privatekey%,'
    '%pincode%,%cardnumber%,%iban%,%cvv%,%cvc%,%email%,%phone%,%birth%,%taxid%,%passport%}';
  v_is_sensitive boolean;    -- whether any member is: usually none, which one comparison of all names shows
begin
  if p_value is null or p_value in ('null', '{}', '[]') then
    return case when p_is_masked and p_value = '[]' then '"***"' else p_value end;
  elsif jsonb_typeof(p_value) = 'object' and p_depth < c_most_deep then
    v_is_sensitive := not p_is_masked
      and translate(lower((select string_agg(k, ' ') from jsonb_object_keys(p_value) k)), '_-', '') like any (c_sensitive);
    return (select coalesce(jsonb_object_agg(m.key, case
        when jsonb_typeof(m.value) in ('object', 'array') then
          platform.mask_members(m.value, p_names, m.is_masked, p_depth + 1)
        when m.is_masked and m.value <> 'null' then '"***"'
        else m.value end), '{}')
      from (select e.key, e.value, p_is_masked or e.key = any (p_names)
          or case when v_is_sensitive then translate(lower(e.key), '_-', '') like any (c_sensitive) else false end as is_masked
        from jsonb_each(p_value) e) m);
  elsif p_is_masked or p_depth >= c_most_deep then
    return '"***"';
  elsif jsonb_typeof(p_value) = 'array' then
    return (select coalesce(jsonb_agg(platform.mask_members(e.value, p_names, false, p_depth + 1) order by e.ordinality), '[]')
      from jsonb_array_elements(p_value) with ordinality e);
  end if;
  return p_value;
end $$;

-- The members that differ between two documents, as JSON pointers (RFC 6901): those of objects one by one, an array as a whole.
create or replace function platform.list_differences(p_before jsonb, p_after jsonb, p_pointer text default '',
  p_depth integer default 0) returns text[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  c_most_deep constant integer := 20;
begin
  return (select coalesce(array_agg(f.pointer order by f.pointer), '{}') from (
    select unnest(case
        when jsonb_typeof(b.value) = 'object' and jsonb_typeof(a.value) = 'object' and p_depth < c_most_deep
          then platform.list_differences(b.value, a.value, n.pointer, p_depth + 1)
        else array[n.pointer] end) as pointer
    from jsonb_each(p_before) b full join jsonb_each(p_after) a on a.key = b.key,
      lateral (select p_pointer || '/' || replace(replace(coalesce(a.key, b.key), '~', '~0'), '/', '~1')) n (pointer)
    where a.value is distinct from b.value) f);
end $$;
