create table batch_number (
  singleton boolean not null default true,
  deployment text not null,
  part text not null,
  part_number integer not null,
  incarnation integer not null default 1,
  system_identifier bigint not null,
  next bigint not null default 1,
  constraint batch_number_pkey primary key (singleton),
  constraint batch_number_singleton check (singleton),
  constraint batch_number_deployment check (deployment ~ '^[a-z0-9-]{1,32}$'),
  constraint batch_number_part check (part ~ '^[A-Z0-9]{1,8}$'),
  constraint batch_number_part_number check (part_number > 0),
  constraint batch_number_incarnation check (incarnation > 0),
  constraint batch_number_next check (next > 0)
);
comment on table batch_number is
  'One row: who this database is, and the next batch number of which it is home. A row and not a sequence, because a crash can make nextval hand a number out twice.';
comment on column batch_number.incarnation is 'Grows when the database is restored from a backup, so that no batch id is used twice.';
comment on column batch_number.system_identifier is 'Of the PostgreSQL cluster (pg_control_system), so that a copy is not taken for the original.';
comment on column batch_number.next is 'Numbers below it are handed out, in blocks of a thousand.';

create table batch (
  id text not null,
  outcome text not null,
  home text,
  parts text[],
  xid xid8 default pg_current_xact_id(),
  decided_at timestamptz default clock_timestamp(),
  touched timestamptz,
  constraint batch_pkey primary key (id),
  constraint batch_outcome check (outcome in ('committed', 'aborted')),
  constraint batch_complete check (outcome = 'aborted' or (home is not null and parts is not null and xid is not null and decided_at is not null))
);
comment on table batch is
  'The decision rows of batches of which this database is home. Its insert in a committed transaction is the commit point of the batch. Rows are never deleted.';
comment on column batch.xid is 'The inserting transaction: an audit finds what may be in flight by it.';
comment on column batch.touched is 'When somebody last asked for the outcome; asking is a write, so that it waits for a decision in flight and for the synchronous standby.';
create index batch_xid on batch (xid);

create table participation (
  batch text not null,
  outcome text not null,
  home text not null,
  parts text[] not null,
  xid xid8 not null default pg_current_xact_id(),
  written_at timestamptz not null default clock_timestamp(),
  touched timestamptz,
  constraint participation_pkey primary key (batch),
  constraint participation_outcome check (outcome in ('committed', 'aborted'))
);
comment on table participation is
  'The marker rows of batches that were prepared here. ''committed'' becomes visible with COMMIT PREPARED; ''aborted'' is a tombstone on which a late PREPARE fails. Rows are never deleted.';
comment on column participation.xid is 'The inserting transaction: an audit finds what may be in flight by it.';
create index participation_xid on participation (xid);

create function batch_is_of_this_incarnation() returns trigger language plpgsql as $$
begin
  if new.outcome = 'committed' and not exists (
    select from batch_number n where new.id like n.part || '-' || n.incarnation || '-%'
  ) then
    raise exception 'batch % is not of the present incarnation of this database', new.id
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  return new;
end
$$;
comment on function batch_is_of_this_incarnation is
  'A decision of an older incarnation must not commit: its batch may have been settled from the markers after a restore.';
create trigger batch_is_of_this_incarnation before insert on batch
  for each row execute function batch_is_of_this_incarnation();

create function journal_is_immutable() returns trigger language plpgsql as $$
begin
  raise exception '% of % is refused: rows of the journal are never changed or deleted', tg_op, tg_table_name
    using errcode = 'insufficient_privilege';
end
$$;
create trigger batch_is_immutable before update of id, outcome, home, parts, xid, decided_at or delete on batch
  for each row execute function journal_is_immutable();
create trigger batch_is_not_truncated before truncate on batch
  for each statement execute function journal_is_immutable();
create trigger participation_is_immutable before update of batch, outcome, home, parts, xid, written_at or delete on participation
  for each row execute function journal_is_immutable();
create trigger participation_is_not_truncated before truncate on participation
  for each statement execute function journal_is_immutable();

grant select on batch_number to nostro_commit;
grant update (next) on batch_number to nostro_commit;
grant select, insert, update (touched) on batch to nostro_commit;
grant select, insert, update (touched) on participation to nostro_commit;
