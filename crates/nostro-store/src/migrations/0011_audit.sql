-- The full audit (docs/adr/0012): what it came to, and what the rows of closed months came to, so that they are not read again.

create table audit (
  id uuid not null,
  from_scratch boolean not null,
  state text not null default 'running',
  started_at timestamptz not null default clock_timestamp(),
  heartbeat_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  progress text not null default '',
  reason text,
  batches_in_flight bigint not null default 0,
  notes text[] not null default '{}',
  constraint audit_pkey primary key (id),
  constraint audit_state check (state in ('running', 'balanced', 'unbalanced', 'failed', 'abandoned')),
  constraint audit_finished check ((state = 'running') = (finished_at is null)),
  constraint audit_reason check ((state in ('failed', 'abandoned')) = (reason is not null))
);
comment on table audit is 'Full audits of the bank. They are kept at the first branch in branch order only.';
comment on column audit.id is 'The client''s id of the request: the idempotency key.';
comment on column audit.heartbeat_at is 'When its server last said that it is at work. One that has not for ten seconds is taken for abandoned.';
comment on column audit.progress is 'What it is at, for people.';
comment on column audit.reason is 'Why it came to nothing, of one that failed or was abandoned.';
comment on column audit.notes is 'What could not be checked, and is no finding.';
create unique index audit_running on audit (state) where state = 'running';
comment on index audit_running is 'One audit at a time.';

create table audit_finding (
  audit uuid not null,
  rank integer not null,
  branch text not null,
  rule text not null,
  source text not null,
  key text not null,
  expected text not null,
  found text not null,
  breaches bigint not null,
  constraint audit_finding_pkey primary key (audit, rank),
  constraint audit_finding_breaches check (breaches > 0)
);
comment on table audit_finding is 'Rows that a full audit found wrong: the first ones of each rule and branch.';
comment on column audit_finding.branch is 'Its code, or ''all'' where it is the bank as a whole.';
comment on column audit_finding.source is 'The table.';
comment on column audit_finding.breaches is 'How many rows of this branch break the rule, the named ones among them.';

create table audit_branch (
  audit uuid not null,
  branch text not null,
  periods_read integer not null,
  periods_known integer not null,
  accounts bigint not null,
  entries bigint not null,
  batches bigint not null,
  constraint audit_branch_pkey primary key (audit, branch)
);
comment on table audit_branch is 'What a full audit looked at, by branch.';
comment on column audit_branch.periods_read is 'Partitions of transfer whose rows it read.';
comment on column audit_branch.periods_known is 'Partitions for which audit_segment and its like stood.';

create table audit_period (
  period integer not null,
  audit uuid not null,
  audited_at timestamptz not null default clock_timestamp(),
  constraint audit_period_pkey primary key (period)
);
comment on table audit_period is
  'Closed partitions of transfer that a full audit found right. What their rows came to stands in audit_segment, audit_hold, audit_reversal and audit_batch, and they are not read again but by an audit from scratch.';
comment on column audit_period.audit is 'The audit that found it right.';

create table audit_segment (
  period integer not null,
  account bigint not null,
  first_seq bigint not null,
  last_seq bigint not null,
  balance_before bigint not null,
  balance_after bigint not null,
  first_transfer uuid not null,
  first_previous uuid,
  last_transfer uuid not null,
  first_posted_at timestamptz not null,
  last_posted_at timestamptz not null,
  constraint audit_segment_pkey primary key (period, account, first_seq),
  constraint audit_segment_order check (first_seq <= last_seq)
);
comment on table audit_segment is
  'Lines of an account in a closed partition that follow each other without a gap, each balance and each named predecessor from the line before, none earlier than it. With those of other partitions they must tile the account''s numbers from 1.';
comment on column audit_segment.first_previous is 'The transfer before the first line, as that line names it; null at the account''s first.';

create table audit_hold (
  period integer not null,
  hold uuid not null,
  debit bigint not null,
  credit bigint not null,
  currency text not null,
  placed numeric not null,
  captured numeric not null,
  finals bigint not null,
  released numeric not null,
  expired numeric not null,
  placed_at timestamptz,
  expires_at timestamptz,
  constraint audit_hold_pkey primary key (period, hold, debit, credit, currency)
);
comment on table audit_hold is
  'What the posted transfers of a closed partition that name the same accounts and currency did to a hold of this branch: sums in minor units.';
comment on column audit_hold.placed_at is 'When a transfer placed it; null if none of these did.';
comment on column audit_hold.expires_at is 'As that transfer has it.';
comment on column audit_hold.placed is 'Numeric, as the others are: a sum over rows that anybody may have written.';
comment on column audit_hold.finals is 'How many final captures.';

create table audit_reversal (
  period integer not null,
  original uuid not null,
  debit bigint not null,
  credit bigint not null,
  currency text not null,
  reversed numeric not null,
  constraint audit_reversal_pkey primary key (period, original, debit, credit, currency)
);
comment on table audit_reversal is
  'What the posted reversals of a closed partition between the same accounts and in the same currency moved back of a transfer, in minor units.';

create table audit_batch (
  period integer not null,
  batch text not null,
  counterparty text not null,
  currency text not null,
  transfers bigint not null,
  net numeric not null,
  hash bytea,
  kinds bytea,
  first_posted_at timestamptz not null,
  last_posted_at timestamptz not null,
  constraint audit_batch_pkey primary key (period, batch, counterparty, currency)
);
comment on table audit_batch is 'What a batch has in a closed partition, by the other branch.';
comment on column audit_batch.counterparty is 'Code of the other branch; this branch''s own for what moved no money between branches.';
comment on column audit_batch.net is 'As batch_net.amount.';
comment on column audit_batch.hash is 'As batch_net.hash; null where no money moved between branches.';
comment on column audit_batch.kinds is 'SHA-256 over the kinds of the same transfers in the same order; null where no money moved between branches.';

-- What these tables keep is drawn by the same functions from which an audit reads the other partitions.

create function draw_segments(periods integer[]) returns table (
  account bigint, first_seq bigint, last_seq bigint, balance_before numeric, balance_after bigint, first_transfer uuid,
  first_previous uuid, last_transfer uuid, first_posted_at timestamptz, last_posted_at timestamptz
)
language sql stable as $$
  with line as (
    select t.debit as account, t.debit_seq as seq, -t.amount as change, t.debit_balance_after as balance,
      t.debit_previous as previous, t.id, t.posted_at
    from transfer t
    where t.period = any($1) and t.debit_seq is not null
    union all
    select t.credit, t.credit_seq, t.amount, t.credit_balance_after, t.credit_previous, t.id, t.posted_at
    from transfer t
    where t.period = any($1) and t.credit_seq is not null
  ), linked as (
    select l.account, l.seq, l.change, l.balance, l.previous, l.id, l.posted_at,
      lag(l.seq) over lines as seq_before, lag(l.balance) over lines as line_before, lag(l.id) over lines as id_before,
      lag(l.posted_at) over lines as posted_before,
      last_value(l.seq) over all_lines as seq_end, last_value(l.balance) over all_lines as balance_end,
      last_value(l.id) over all_lines as id_end, last_value(l.posted_at) over all_lines as posted_end
    from line l
    window lines as (partition by l.account order by l.seq, l.id),
      all_lines as (partition by l.account order by l.seq, l.id rows between unbounded preceding and unbounded following)
  )
  select l.account, l.seq, coalesce(lead(l.seq_before) over firsts, l.seq_end), l.balance::numeric - l.change,
    coalesce(lead(l.line_before) over firsts, l.balance_end), l.id, l.previous,
    coalesce(lead(l.id_before) over firsts, l.id_end), l.posted_at,
    coalesce(lead(l.posted_before) over firsts, l.posted_end)
  from linked l
  where (
    l.seq_before = l.seq - 1 and l.line_before + l.change::numeric = l.balance and l.id_before = l.previous
      and l.posted_before <= l.posted_at
  ) is not true
  window firsts as (partition by l.account order by l.seq, l.id)
$$;
comment on function draw_segments is 'The runs of lines in partitions of transfer in which each line follows from the one before it.';

create function draw_holds(periods integer[], branch bigint) returns table (
  hold uuid, debit bigint, credit bigint, currency text, placed numeric, captured numeric, finals bigint, released numeric,
  expired numeric, placed_at timestamptz, expires_at timestamptz
)
language sql stable as $$
  select coalesce(t.hold, t.id), t.debit, t.credit, t.currency,
    coalesce(sum(t.amount) filter (where t.kind = 'hold'), 0),
    coalesce(sum(t.amount) filter (where t.kind = 'capture'), 0),
    count(*) filter (where t.kind = 'capture' and t.is_final),
    coalesce(sum(t.amount) filter (where t.kind = 'release'), 0),
    coalesce(sum(t.amount) filter (where t.kind = 'expiry'), 0),
    min(t.posted_at) filter (where t.kind = 'hold'),
    min(t.expires_at) filter (where t.kind = 'hold')
  from transfer t
  where t.period = any($1)
    and t.kind in ('hold', 'capture', 'release', 'expiry')
    and t.refusal is null
    and t.debit / 1000000000000 = $2
  group by 1, 2, 3, 4
$$;
comment on function draw_holds is 'What partitions of transfer did to the holds of the branch with this number, by the accounts and the currency that they name.';

create function draw_reversals(periods integer[]) returns table (
  original uuid, debit bigint, credit bigint, currency text, reversed numeric
)
language sql stable as $$
  select t.original, t.debit, t.credit, t.currency, sum(t.amount)
  from transfer t
  where t.period = any($1) and t.kind = 'reversal' and t.refusal is null and t.debit_seq is not null
  group by 1, 2, 3, 4
$$;
comment on function draw_reversals is
  'What the reversals in partitions of transfer moved back, where the account that was paid is of this branch, by the accounts and the currency that they name.';

create function draw_moves(periods integer[], branch bigint) returns table (
  id uuid, batch text, period integer, kind text, currency text, posted_at timestamptz, moved boolean, other bigint, net bigint,
  bytes bytea
)
language sql stable as $$
  select t.id, t.batch, t.period, t.kind, t.currency, t.posted_at, t.moved,
    case when not t.moved then $2 when t.debit / 1000000000000 = $2 then t.credit / 1000000000000
      else t.debit / 1000000000000 end,
    case when not t.moved then 0 when t.debit / 1000000000000 = $2 then t.amount else -t.amount end,
    uuid_send(t.id) || int8send(t.debit) || int8send(t.credit) || int8send(t.amount) || convert_to(t.currency, 'UTF8')
  from (
    select m.*,
      m.refusal is null and m.kind not in ('hold', 'release', 'expiry')
        and m.debit / 1000000000000 <> m.credit / 1000000000000 as moved
    from transfer m
    where m.period = any($1)
  ) t
$$;
comment on function draw_moves is
  'The transfers of partitions with the other branch, seen from the one with this number. The bytes are those of batch_net.hash.';

create function draw_batches(periods integer[], branch bigint) returns table (
  period integer, batch text, counterparty text, currency text, transfers bigint, net numeric, hash bytea, kinds bytea,
  first_posted_at timestamptz, last_posted_at timestamptz
)
language sql stable as $$
  select g.period, g.batch, coalesce(b.code, g.other::text), g.currency, g.transfers, g.net, g.hash, g.kinds, g.first_posted_at,
    g.last_posted_at
  from (
    select m.batch, m.other, m.currency, m.period, count(*) as transfers, sum(m.net) as net,
      sha256(string_agg(m.bytes, ''::bytea order by m.id) filter (where m.moved)) as hash,
      sha256(convert_to(string_agg(m.kind, ' ' order by m.id) filter (where m.moved), 'UTF8')) as kinds,
      min(m.posted_at) as first_posted_at, max(m.posted_at) as last_posted_at
    from draw_moves($1, $2) m
    group by m.batch, m.other, m.currency, m.period
  ) g
  left join branch b on b.number = g.other
$$;
comment on function draw_batches is 'What each batch has in partitions of transfer, by the other branch.';

create function closed_transfer_periods() returns setof integer
language sql volatile as $$
  select p.period
  from transfer_period p
  where p.detached_at is null
    and case when p.period = 0 then false
      else clock_timestamp() at time zone 'UTC' >= make_date(p.period / 100, p.period % 100, 1) + interval '1 month 2 days' end
    and not exists (
      select
      from pg_locks l
      join pg_class c on c.oid = l.relation
      join pg_database d on d.oid = l.database and d.datname = current_database()
      where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and c.relname = 'transfer_' || p.period
    )
$$;
comment on function closed_transfer_periods is
  'The months whose ids have been refused for a day and that no transaction, a prepared one included, has open for writing: their rows never change again.';

create function keep_audited_period(wanted integer, by_audit uuid) returns boolean
language plpgsql volatile security definer set search_path = public, pg_temp as $$
declare
  this_branch bigint := (select n.part_number from batch_number n);
begin
  -- First, so that the month is not taken out from here on; each statement after it sees what was before.
  lock table transfer in access share mode;
  if not exists (select from closed_transfer_periods() c where c = wanted) then
    return false;
  end if;
  insert into audit_period (period, audit)
  select p.period, by_audit
  from transfer_period p
  where p.period = wanted and p.detached_at is null
  on conflict (period) do nothing;
  if not found then
    return false;
  end if;
  insert into audit_segment (period, account, first_seq, last_seq, balance_before, balance_after, first_transfer, first_previous,
    last_transfer, first_posted_at, last_posted_at)
  select wanted, s.account, s.first_seq, s.last_seq, s.balance_before::bigint, s.balance_after, s.first_transfer, s.first_previous,
    s.last_transfer, s.first_posted_at, s.last_posted_at
  from draw_segments(array[wanted]) s;
  insert into audit_hold (period, hold, debit, credit, currency, placed, captured, finals, released, expired, placed_at, expires_at)
  select wanted, h.hold, h.debit, h.credit, h.currency, h.placed, h.captured, h.finals, h.released, h.expired, h.placed_at, h.expires_at
  from draw_holds(array[wanted], this_branch) h;
  insert into audit_reversal (period, original, debit, credit, currency, reversed)
  select wanted, r.original, r.debit, r.credit, r.currency, r.reversed
  from draw_reversals(array[wanted]) r;
  insert into audit_batch (period, batch, counterparty, currency, transfers, net, hash, kinds, first_posted_at, last_posted_at)
  select b.period, b.batch, b.counterparty, b.currency, b.transfers, b.net, b.hash, b.kinds, b.first_posted_at, b.last_posted_at
  from draw_batches(array[wanted], this_branch) b;
  return true;
end
$$;
comment on function keep_audited_period is
  'Keeps what the rows of a closed month come to; false if it is not closed, is taken out or is kept already. With the owner''s rights, because the server may not write what later audits trust.';
revoke execute on function keep_audited_period from public;
grant execute on function keep_audited_period to nostro_commit;

create function forget_audited_period(wanted integer) returns boolean
language plpgsql volatile set search_path = public, pg_temp as $$
begin
  delete from audit_segment s where s.period = wanted;
  delete from audit_hold h where h.period = wanted;
  delete from audit_reversal r where r.period = wanted;
  delete from audit_batch b where b.period = wanted;
  delete from audit_period p where p.period = wanted;
  return found;
end
$$;
comment on function forget_audited_period is
  'For the owner: the next full audit reads this partition of transfer anew. Of a partition that was taken out nothing is known afterwards.';
revoke execute on function forget_audited_period from public;

grant select, insert on audit to nostro_commit;
grant update (state, heartbeat_at, finished_at, progress, reason, batches_in_flight, notes) on audit to nostro_commit;
grant select, insert on audit_finding, audit_branch to nostro_commit;
grant select on audit_period, audit_segment, audit_hold, audit_reversal, audit_batch to nostro_commit;
