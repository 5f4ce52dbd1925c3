-- Ceilings, frozen accounts, accounts outside their limits, and the history of what was changed. Reversals that may overdraw.

alter table account
  add column ceiling bigint,
  add column limit_exceeded boolean not null default false,
  add column opened_limit bigint not null default 0,
  drop constraint account_owner,
  drop constraint account_overdraft_limit,
  drop constraint account_within_limit,
  drop constraint account_state,
  drop constraint account_closed_is_empty;
comment on column account.ceiling is 'What the balance may not go above, in minor units; null if there is no bound.';
comment on column account.limit_exceeded is
  'The figures are outside the limits: by a forced reversal, or because a limit was changed. Then, and only then, they may be.';
comment on column account.opened_limit is
  'The overdraft limit that it was opened with: what a repeated request is compared with, and what its first change went out from. Never changed.';
comment on column account.state is 'open; frozen for debits, for credits or for both; closed.';
-- As few as before: each is checked at every posting.
alter table account
  add constraint account_owner check (
    case when customer is null then kind = 'cash' and state = 'open' and ceiling is null else kind <> 'cash' end
  ),
  add constraint account_limits check (overdraft_limit >= 0 and (ceiling is null or ceiling >= 0)),
  add constraint account_within_limits check (
    limit_exceeded = (customer is not null and (balance < held - overdraft_limit or balance > coalesce(ceiling, balance)))
  ),
  add constraint account_state check (state in ('open', 'debits_frozen', 'credits_frozen', 'frozen', 'closed')),
  add constraint account_closed_is_empty check (state <> 'closed' or (balance = 0 and held = 0));
grant update (overdraft_limit, ceiling, limit_exceeded) on account to nostro_commit;

create table account_change (
  id uuid not null,
  serial bigint generated always as identity,
  account bigint not null,
  asked text[] not null,
  overdraft_limit_before bigint not null,
  overdraft_limit_after bigint not null,
  ceiling_before bigint,
  ceiling_after bigint,
  state_before text not null,
  state_after text not null,
  reason text,
  changed_at timestamptz not null default clock_timestamp(),
  constraint account_change_pkey primary key (id),
  constraint account_change_asked check (
    cardinality(asked) > 0 and asked <@ array['overdraft_limit', 'ceiling', 'state']
  ),
  constraint account_change_reason check (char_length(reason) between 1 and 140)
);
comment on table account_change is 'Every change of an account''s limits and state, closing among them. Never changed.';
comment on column account_change.account is 'Its account; no foreign key, which every posting to an account would have to look at.';
comment on column account_change.id is 'The client''s id of the request: the idempotency key.';
comment on column account_change.serial is 'In the order in which they were made, for pages.';
comment on column account_change.asked is 'The fields that the request named; the others stayed as they were.';
create index account_change_account on account_change (account, serial);
create trigger account_change_is_immutable before update or delete on account_change
  for each row execute function journal_is_immutable();
create trigger account_change_is_not_truncated before truncate on account_change
  for each statement execute function journal_is_immutable();
grant select, insert on account_change to nostro_commit;

-- What was closed before this table: when is not known, but not before the account's last posting.
insert into account_change
  (id, account, asked, overdraft_limit_before, overdraft_limit_after, state_before, state_after, changed_at)
select close_request_id, id, array['state'], overdraft_limit, overdraft_limit, 'open', 'closed', coalesce(last_posted_at, opened_at)
from account
where close_request_id is not null;
alter table account drop column close_request_id;

-- Until now a limit was never changed.
update account set opened_limit = overdraft_limit where overdraft_limit <> 0;

alter table transfer
  add column is_forced boolean;
comment on column transfer.is_forced is 'Of a reversal that might overdraw the account that was paid: true.';
