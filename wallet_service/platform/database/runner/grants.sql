-- The statements that correct the grants and row level security of all schemas of the rooms; no row when both are correct.
-- wallet_service and Supabase's service_role may call the functions of wallet_api. service_role may do nothing else. PUBLIC,
-- anon and authenticated may do nothing at all, whatever default privileges have granted to them. A role that may grant its
-- privilege to others loses that option, and the grants it made are revoked, as soon as one of these roles got something by it.
-- Every table has row level security and no policy: a grant alone shows no row. Functions run as the owner of the tables,
-- which row level security does not restrict.
with objects (schema, kind, name, acl, owner) as (
  select n.nspname, 'schema', n.nspname::text, coalesce(n.nspacl, acldefault('n', n.nspowner)), n.nspowner
  from pg_catalog.pg_namespace n
  union all
  select n.nspname, case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text, c.relacl, c.relowner
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  union all
  select n.nspname, 'table', c.oid::regclass::text, a.attacl, c.relowner
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where a.attacl is not null
  union all
  select n.nspname, 'function', p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner
  from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
),
ours as (
  select objects.*,
    case when schema = 'wallet_api' and kind = 'schema' then 'USAGE'
         when schema = 'wallet_api' and kind = 'function' then 'EXECUTE' end as opens
  from objects
  where schema = any ({{schemas}}) and owner = to_regrole('wallet_owner')
),
granted as (
  select ours.schema, kind, name, opens, acl.grantee, acl.privilege_type, acl.is_grantable, acl.grantor = ours.owner as is_ours
  from ours, aclexplode(ours.acl) as acl
  where acl.grantee <> ours.owner
),
callers (role) as (
  select role from (values (to_regrole('wallet_service')), (to_regrole('service_role'))) as r (role) where role is not null
),
strangers (role) as (
  select role
  from (values (0::regrole), (to_regrole('anon')), (to_regrole('authenticated')), (to_regrole('service_role'))) as r (role)
  where role is not null
)
select format('grant %s on %s %s to %s', opens, kind, name, role)
from ours, callers
where opens is not null
  and not exists (
    select from granted g
    where is_ours and (g.kind, g.name, g.grantee, g.privilege_type) = (ours.kind, ours.name, callers.role, ours.opens))
union all
select distinct format('revoke %s on %s %s from %s cascade', case kind when 'table' then 'all' else privilege_type end,
  kind, name, case grantee when 0 then 'public' else grantee::regrole::text end)
from granted
where is_ours and grantee in (select role from strangers)
  and not (grantee is not distinct from to_regrole('service_role') and privilege_type is not distinct from opens)
union all
select distinct format('revoke grant option for %s on %s %s from %s cascade', privilege_type, kind, name, grantee::regrole)
from granted g
where is_ours and is_grantable and (
  grantee is not distinct from to_regrole('service_role')
  or exists (
    select from granted other
    where not other.is_ours and other.grantee in (select role from strangers)
      and (other.kind, other.name, other.privilege_type) = (g.kind, g.name, g.privilege_type)))
union all
select format('alter table %s enable row level security', c.oid::regclass)
from pg_catalog.pg_class c
where c.relnamespace in (select to_regnamespace(name) from unnest({{schemas}}) as s (name))
  and c.relkind in ('r', 'p') and c.relowner = to_regrole('wallet_owner') and not c.relrowsecurity
