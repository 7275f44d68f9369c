-- The functions of a release as the catalog has them: name, and a checksum of the definition (parameters, result, language, SECURITY
-- DEFINER, settings, body). It is null unless there is exactly one function of the name, and wallet_owner owns it.
select f.name, case when count(p.oid) = 1 and bool_and(p.proowner = to_regrole('wallet_owner'))
  then min(case p.prokind when 'f' then md5(pg_get_functiondef(p.oid)) end) end as checksum
from unnest({{names}}) as f (name)
left join pg_catalog.pg_proc p
  on p.pronamespace = to_regnamespace(split_part(f.name, '.', 1)) and p.proname = split_part(f.name, '.', 2)
group by f.name
