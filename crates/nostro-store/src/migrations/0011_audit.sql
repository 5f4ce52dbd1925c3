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
  constraint audit_segment_pkey primary key (period, account, first_seq),
  constraint audit_segment_order check (first_seq <= last_seq)
);
comment on table audit_segment is
  'Lines of an account in a closed partition that follow each other without a gap, each balance and each named predecessor from the line before. With those of other partitions they must tile the account''s numbers from 1.';
comment on column audit_segment.first_previous is 'The transfer before the first line, as that line names it; null at the account''s first.';

create table audit_hold (
  period integer not null,
  hold uuid not null,
  placed numeric not null,
  captured numeric not null,
  finals bigint not null,
  released numeric not null,
  expired numeric not null,
  constraint audit_hold_pkey primary key (period, hold)
);
comment on table audit_hold is 'What the posted transfers of a closed partition did to a hold of this branch: sums in minor units.';
comment on column audit_hold.placed is 'Numeric, as the others are: a sum over rows that anybody may have written.';
comment on column audit_hold.finals is 'How many final captures.';

create table audit_reversal (
  period integer not null,
  original uuid not null,
  reversed numeric not null,
  constraint audit_reversal_pkey primary key (period, original)
);
comment on table audit_reversal is 'What the posted reversals of a closed partition moved back of a transfer, in minor units.';

create table audit_batch (
  period integer not null,
  batch text not null,
  counterparty text not null,
  currency text not null,
  transfers bigint not null,
  net numeric not null,
  hash bytea,
  kinds bytea,
  constraint audit_batch_pkey primary key (period, batch, counterparty, currency)
);
comment on table audit_batch is 'What a batch has in a closed partition, by the other branch.';
comment on column audit_batch.counterparty is 'Code of the other branch; this branch''s own for what moved no money between branches.';
comment on column audit_batch.net is 'As batch_net.amount.';
comment on column audit_batch.hash is 'As batch_net.hash; null where no money moved between branches.';
comment on column audit_batch.kinds is 'SHA-256 over the kinds of the same transfers in the same order; null where no money moved between branches.';

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
grant select, insert on audit_finding, audit_branch, audit_period, audit_segment, audit_hold, audit_reversal, audit_batch to nostro_commit;
