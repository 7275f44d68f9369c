-- Whether the script has nothing to do. $1: what wallet.migrations should contain; $2: the release and the checksum of its functions;
-- $3: the names of the functions.
select coalesce((select array_agg(m.number || ' ' || m.checksum order by m.number) from wallet.migrations m), '{}') = $1::text[]
  and (select array[r.release, r.checksum] from wallet.releases r order by r.sequence desc limit 1) = $2::text[]
  and (select r.definitions from wallet.releases r order by r.sequence desc limit 1) = (
    select coalesce(jsonb_object_agg(d.name, d.checksum), '{}') from (
{{definitions}}
    ) d)
  and not exists (
{{grants}}
  )
