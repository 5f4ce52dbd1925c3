alter table batch_net add column xid xid8 not null default pg_current_xact_id();
comment on column batch_net.xid is
  'The inserting transaction: rows below position_roll_up.up_to are in the opening. Rows that were there before this column carry the transaction that added it, which is later than their own.';
create index batch_net_xid on batch_net (xid);
-- A row that claims an older transaction would be in no sum, so the column is not the application's to write.
revoke insert on batch_net from nostro_commit;
grant insert (batch, counterparty, currency, amount, hash) on batch_net to nostro_commit;

create table position_opening (
  counterparty text not null,
  currency text not null,
  amount bigint not null,
  constraint position_opening_pkey primary key (counterparty, currency)
);
comment on table position_opening is
  'Nostro positions as they were when all transactions below position_roll_up.up_to had ended: the sum of batch_net over them. Derived: the rows stay, and roll_up_positions() is the only writer.';
comment on column position_opening.amount is
  'Credits minus debits of the nostro position, in minor units. A sum that no bigint holds fails the roll-up, which leaves everything as it was.';

create table position_roll_up (
  singleton boolean not null default true,
  up_to xid8 not null default '0',
  rolled_up_at timestamptz not null default 'epoch',
  constraint position_roll_up_pkey primary key (singleton),
  constraint position_roll_up_singleton check (singleton)
);
comment on table position_roll_up is 'One row: how far position_opening reaches. One figure for all positions, so that opening and rest cannot be of different moments.';
comment on column position_roll_up.up_to is 'Every transaction below it had ended: what it wrote to batch_net is in position_opening, and nothing below it can still come.';
insert into position_roll_up default values;

create function roll_up_positions() returns xid8
language plpgsql volatile security definer set search_path = public, pg_temp as $$
declare
  before xid8;
  after xid8;
begin
  select up_to into before from position_roll_up for update skip locked;
  if not found then
    return null; -- somebody else is at it
  end if;
  -- The oldest transaction that is still running. Prepared ones count as running, so nothing below it is yet to come.
  after := pg_snapshot_xmin(pg_current_snapshot());
  if after < before then
    raise exception 'positions are rolled up to transaction %, but the oldest running one is %', before, after
      using errcode = 'object_not_in_prerequisite_state',
            hint = 'The database was loaded from a dump into another cluster. Empty position_opening and set position_roll_up.up_to to 0.';
  end if;
  insert into position_opening (counterparty, currency, amount)
  select counterparty, currency, sum(amount)::bigint
  from batch_net
  where xid >= before and xid < after
  group by counterparty, currency
  on conflict (counterparty, currency) do update set amount = position_opening.amount + excluded.amount;
  update position_roll_up set up_to = after, rolled_up_at = clock_timestamp();
  return after;
end
$$;
comment on function roll_up_positions is
  'Adds what can no longer change to position_opening and returns up to which transaction; null if another session does it. The owner''s rights, because nobody else may write these tables.';
revoke execute on function roll_up_positions from public;
grant execute on function roll_up_positions to nostro_commit;
grant select on position_opening, position_roll_up to nostro_commit;
