-- History that grows without a random insert: `transfer` in partitions that its ids alone choose, and each account's
-- lines chained backwards instead of indexed one by one (docs/adr/0008 and 0009).

create domain currency_code as text constraint currency_code check (value ~ '^[A-Z]{3}$');
comment on domain currency_code is 'ISO 4217. A domain and not a CHECK of the table, which would be evaluated at every posting.';
alter table account drop constraint account_currency;
alter table account alter column currency type currency_code;
alter table account add column last_transfer uuid;
comment on column account.last_transfer is 'The transfer that left its last line; null before the first. Each line names the one before it.';

create function transfer_period_of(id uuid) returns integer
language sql immutable parallel safe as $$
  -- Version 7 of the variant of RFC 9562, before the year 9999. One expression, so that it is inlined.
  select case
    when id::text ~ '^.{14}7.{4}[89ab]' and id < 'e6707a6e-b000-0000-0000-000000000000'
    then extract(year from timezone('UTC', to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000)))::integer * 100
       + extract(month from timezone('UTC', to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000)))::integer
    else 0
  end
$$;
comment on function transfer_period_of is
  'The period of a transfer, by its id alone: the month (UTC) of the time in a UUID of version 7, such as 202611; 0 for every other UUID. The server reckons the same.';

create table transfer_period (
  period integer not null,
  made_at timestamptz not null default clock_timestamp(),
  detached_at timestamptz,
  constraint transfer_period_pkey primary key (period),
  constraint transfer_period_period check (period = 0 or (period >= 197001 and period % 100 between 1 and 12))
);
comment on table transfer_period is 'The partitions of transfer that there are or were: a month (UTC) of ids of version 7, such as 202611; 0 for all other ids.';
comment on column transfer_period.detached_at is 'When it was taken out for the archive: what is sent again under its ids is refused from then on.';

alter table transfer rename to transfer_before;
alter index transfer_pkey rename to transfer_before_pkey;
drop index transfer_debit, transfer_credit;

create table transfer (
  posted_at timestamptz not null,
  debit bigint not null,
  credit bigint not null,
  amount bigint not null,
  debit_balance_after bigint,
  debit_seq bigint,
  credit_balance_after bigint,
  credit_seq bigint,
  id uuid not null,
  debit_previous uuid,
  credit_previous uuid,
  period integer not null,
  category integer not null,
  kind text not null,
  currency text not null,
  batch text not null,
  refusal text,
  reference text,
  constraint transfer_kind check (kind in ('transfer', 'deposit', 'withdrawal')),
  constraint transfer_amount check (amount > 0),
  constraint transfer_accounts check (debit <> credit),
  constraint transfer_category check (category between 0 and 65535),
  constraint transfer_sides check (
    case when refusal is null
      then (debit_seq is not null or credit_seq is not null)
        and (debit_seq is null) = (debit_balance_after is null)
        and (credit_seq is null) = (credit_balance_after is null)
        and (debit_previous is null) = (coalesce(debit_seq, 1) = 1)
        and (credit_previous is null) = (coalesce(credit_seq, 1) = 1)
      else coalesce(debit_seq, credit_seq, debit_balance_after, credit_balance_after) is null
        and coalesce(debit_previous, credit_previous) is null
    end
  )
) partition by list (period);
comment on table transfer is
  'The facts: one row for every transfer at every branch that it touched, posted or refused. A cross-branch transfer has a row in each of the two databases, each with its own side. Never changed. Look up an id with its period, else every partition is searched: where period = transfer_period_of(id) and id = ...';
comment on column transfer.id is 'Chosen by the client: the idempotency key. Unique, as each partition has a key and an id belongs to one partition. Version 7 grows with time, so that rows enter the index at its right edge.';
comment on column transfer.period is 'transfer_period_of(id).';
comment on column transfer.amount is 'In minor units.';
comment on column transfer.batch is 'The distributed transaction that carried it; home-incarnation-number.';
comment on column transfer.refusal is 'Why it was refused; null if it was posted. A refused transfer is recorded at its first branch only.';
comment on column transfer.debit_balance_after is 'The debit account''s balance after it (credits minus debits), if that account is of this branch.';
comment on column transfer.debit_seq is 'Its number among the debit account''s entries, if that account is of this branch.';
comment on column transfer.debit_previous is 'The transfer that left the debit account''s line before this one; null at the first. An account''s history is this chain, from account.last_transfer backwards.';

create function make_transfer_partition(wanted integer) returns boolean
language plpgsql volatile set search_path = public, pg_temp as $$
declare
  partition text := 'transfer_' || case when wanted = 0 then 'other' else wanted::text end;
begin
  -- One at a time. Nothing of it waits for a writer, and no writer for it: a new table, then attached.
  perform pg_advisory_xact_lock(hashtext('transfer_period'));
  if exists (select from transfer_period p where p.period = wanted) then
    return false;
  end if;
  perform set_config('lock_timeout', '200ms', true);
  insert into transfer_period (period) values (wanted);
  execute format('create table %I (like transfer including constraints including comments)', partition);
  execute format('comment on table %I is %L', partition, 'The transfers of one period; see transfer.');
  execute format('alter table %I add constraint %I primary key (id)', partition, partition || '_pkey');
  -- Every 64th line of an account, so that any of its lines is found in 64 steps along the chain.
  execute format('create index %I on %I (debit, debit_seq) where debit_seq %% 64 = 0', partition || '_debit', partition);
  execute format('create index %I on %I (credit, credit_seq) where credit_seq %% 64 = 0', partition || '_credit', partition);
  execute format('create trigger transfer_is_not_truncated before truncate on %I for each statement execute function journal_is_immutable()', partition);
  execute format('alter table transfer attach partition %I for values in (%s)', partition, wanted);
  return true;
end
$$;
comment on function make_transfer_partition is 'For the owner: makes the partition of a period; false if it is there or was.';
revoke execute on function make_transfer_partition from public;

create function make_transfer_period(wanted integer) returns boolean
language plpgsql volatile security definer set search_path = public, pg_temp as $$
declare
  this_month date := date_trunc('month', clock_timestamp() at time zone 'UTC');
begin
  if wanted <> 0 and make_date(wanted / 100, wanted % 100, 1) not between this_month - interval '1 month' and this_month + interval '2 months' then
    raise exception 'the partition % of transfer is not made in %', wanted, this_month using errcode = 'invalid_parameter_value';
  end if;
  return make_transfer_partition(wanted);
end
$$;
comment on function make_transfer_period is
  'Makes the partition of a period: this month, the one before, one of the two after it, or 0. The owner''s rights, because the server may not make tables.';
revoke execute on function make_transfer_period from public;
grant execute on function make_transfer_period to nostro_commit;

create function detach_transfer_period(wanted integer) returns text
language plpgsql volatile set search_path = public, pg_temp as $$
declare
  partition text := 'transfer_' || wanted;
begin
  -- Ids of that month are refused from a day after its end on; a day more for clocks and for what is in flight.
  if clock_timestamp() at time zone 'UTC' < make_date(wanted / 100, wanted % 100, 1) + interval '1 month 2 days' then
    raise exception 'transfers of % may still come in', wanted using errcode = 'object_not_in_prerequisite_state';
  end if;
  perform set_config('lock_timeout', '200ms', true);
  update transfer_period set detached_at = clock_timestamp() where period = wanted and detached_at is null;
  if not found then
    raise exception 'transfer has no partition %', wanted using errcode = 'undefined_object';
  end if;
  execute format('alter table transfer detach partition %I', partition);
  return partition;
end
$$;
comment on function detach_transfer_period is
  'For the owner: takes a month that is past out of transfer, for the archive; returns the name of the table that is left. Ids of that month are refused from then on, and the accounts'' histories end where it began.';
revoke execute on function detach_transfer_period from public;

select make_transfer_partition(period)
from (select 0 union select transfer_period_of(id) from transfer_before) needed (period);

insert into transfer (id, period, kind, debit, credit, amount, currency, category, reference, batch, posted_at, refusal,
  debit_balance_after, debit_seq, debit_previous, credit_balance_after, credit_seq, credit_previous)
with line as (
  select debit as account, debit_seq as seq, id from transfer_before where debit_seq is not null
  union all
  select credit, credit_seq, id from transfer_before where credit_seq is not null
), chain as (
  select account, seq, lag(id) over (partition by account order by seq) as previous from line
)
select t.id, transfer_period_of(t.id), t.kind, t.debit, t.credit, t.amount, t.currency, t.category, t.reference, t.batch, t.posted_at,
  t.refusal, t.debit_balance_after, t.debit_seq, d.previous, t.credit_balance_after, t.credit_seq, c.previous
from transfer_before t
left join chain d on d.account = t.debit and d.seq = t.debit_seq
left join chain c on c.account = t.credit and c.seq = t.credit_seq;

with line as (
  select debit as account, debit_seq as seq, id from transfer_before where debit_seq is not null
  union all
  select credit, credit_seq, id from transfer_before where credit_seq is not null
)
update account a
set last_transfer = line.id
from line
where line.account = a.id and line.seq = a.seq;

drop function account_entries;
drop view entry;
drop table transfer_before;

create view entry as
  select debit as account, null::text as nostro, debit_seq as seq, id as transfer, kind, 'debit' as side,
         amount, currency, debit_balance_after as balance_after, credit as counterparty, reference, batch, posted_at
  from transfer
  where debit_seq is not null
  union all
  select credit, null, credit_seq, id, kind, 'credit', amount, currency, credit_balance_after, debit, reference, batch, posted_at
  from transfer
  where credit_seq is not null
  union all
  select null, counterparty, null, null, null, case when amount < 0 then 'debit' else 'credit' end,
         abs(amount), currency, null, null, null, batch, null
  from batch_net;
comment on view entry is
  'Double entry: a line for every side of a posted transfer that is of this branch, and the nostro line of every batch. Debits equal credits. Reads all of transfer: for one account there is account_entries().';

create function account_entries(account bigint, before bigint, rows_max integer) returns setof entry
language sql stable rows 50 as $$
  with recursive top as (
    -- The line to begin with: the nearest marked line at or above the first that is wanted; where there is none yet, the
    -- account's last one. None if the marked line is in the archive: then what is wanted is there too.
    select case when wanted.marked <= a.seq then marked.id else a.last_transfer end as id, wanted.before
    from account a
    cross join lateral (
      select least(greatest($2, 1), a.seq + 1) as before, (least(greatest($2, 1), a.seq + 1) + 62) / 64 * 64 as marked
    ) wanted
    left join lateral (
      select t.id
      from transfer t
      where t.debit = a.id and t.debit_seq = wanted.marked and t.debit_seq % 64 = 0
      union all
      select t.id
      from transfer t
      where t.credit = a.id and t.credit_seq = wanted.marked and t.credit_seq % 64 = 0
    ) marked on true
    where a.id = $1
  ), line as (
    select top.before, t.id, t.debit = $1 as is_debit, t.kind, t.amount, t.currency, t.debit, t.credit, t.reference, t.batch, t.posted_at,
           case when t.debit = $1 then t.debit_seq else t.credit_seq end as seq,
           case when t.debit = $1 then t.debit_balance_after else t.credit_balance_after end as balance_after,
           case when t.debit = $1 then t.debit_previous else t.credit_previous end as previous
    from top
    join transfer t on t.period = transfer_period_of(top.id) and t.id = top.id
    union all
    select line.before, t.id, t.debit = $1, t.kind, t.amount, t.currency, t.debit, t.credit, t.reference, t.batch, t.posted_at,
           case when t.debit = $1 then t.debit_seq else t.credit_seq end,
           case when t.debit = $1 then t.debit_balance_after else t.credit_balance_after end,
           case when t.debit = $1 then t.debit_previous else t.credit_previous end
    from line
    join transfer t on t.period = transfer_period_of(line.previous) and t.id = line.previous
    where line.seq > line.before - $3
  )
  select $1, null::text, seq, id, kind, case when is_debit then 'debit' else 'credit' end, amount, currency, balance_after,
         case when is_debit then credit else debit end, reference, batch, posted_at
  from line
  where seq < before
  order by seq desc
  limit $3
$$;
comment on function account_entries is
  'The lines of one account below a sequence number (9223372036854775807 for the last ones), newest first: the one way from an account to its history. It follows the chain of lines, from the account or from a marked line (every 64th).';

create trigger transfer_is_immutable before update or delete on transfer
  for each row execute function journal_is_immutable();
create trigger transfer_is_not_truncated before truncate on transfer
  for each statement execute function journal_is_immutable();

grant select on entry, transfer_period to nostro_commit;
grant select, insert on transfer to nostro_commit;
grant update (last_transfer) on account to nostro_commit;
