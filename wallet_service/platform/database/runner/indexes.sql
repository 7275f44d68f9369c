-- Which of the indexes $1 (names with their schemas) are missing or invalid. Invalid: its build was interrupted.
select i.name, x.indexrelid is not null as is_invalid
from unnest($1::text[]) with ordinality as i (name, place)
left join pg_catalog.pg_namespace n on n.nspname = split_part(i.name, '.', 1)
left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = split_part(i.name, '.', 2)
left join pg_catalog.pg_index x on x.indexrelid = c.oid
where x.indisvalid is not true
order by i.place
