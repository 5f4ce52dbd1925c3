//! The tables of the protocol: `batch`, `participation`, `batch_number`.
//!
//! Two roles without a login. `nostro_owner` owns the tables, for migrations only. `nostro_commit` has the
//! application's grants and is the role that prepares and finishes, because a prepared transaction can be
//! finished only by the role that prepared it, and login roles come and go with credentials. If one role were
//! both, the application could drop the triggers that keep the journal as it is.

/// Creates both roles, to be run by a superuser in any database of the cluster; harmless when they exist.
pub const ROLES: &str = "
do $roles$
begin
  if not exists (select from pg_roles where rolname = 'nostro_owner') then
    create role nostro_owner nologin;
  end if;
  if not exists (select from pg_roles where rolname = 'nostro_commit') then
    create role nostro_commit nologin;
  end if;
exception when duplicate_object or unique_violation then
  null; -- another database of the cluster was first
end
$roles$";

/// Creates the tables, to be run by `nostro_owner`.
pub const TABLES: &str = include_str!("schema.sql");

/// Run after [`TABLES`]: what a restored home may not say, and what the application may not write.
pub const RESTORED: &str = include_str!("schema_restored.sql");

/// Writes the identity of a database, once: `$1` deployment, `$2` part, `$3` number of the part.
pub const STAMP: &str = "
insert into batch_number (deployment, part, part_number, system_identifier)
select $1, $2, $3, system_identifier from pg_control_system()
on conflict do nothing";
