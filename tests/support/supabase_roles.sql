-- The roles and limits of a new Supabase project, as its own start-up scripts create them. Run as superuser, once in a
-- cluster. project_owner stands for the role that Supabase gives to its customers, which is no superuser.
do $$
begin
  create role anon nologin noinherit;
  create role authenticated nologin noinherit;
  create role service_role nologin noinherit bypassrls;
  create role authenticator login noinherit;
  create role project_owner login createdb createrole replication bypassrls;
  grant anon, authenticated, service_role to authenticator;
  grant anon, authenticated, service_role to project_owner;
  alter role anon set statement_timeout = '3s';
  alter role authenticated set statement_timeout = '8s';
  alter role authenticator set statement_timeout = '8s';
  alter role authenticator set lock_timeout = '8s';
exception when duplicate_object or unique_violation then null; -- another database of the cluster was first
end $$;
