-- Holds: reserved at their debit account, of this branch, in favour of an account of any branch. Reversals. And transfers of what
-- is available.

create table hold (
  id uuid not null,
  serial bigint generated always as identity,
  debit bigint not null,
  credit bigint not null,
  amount bigint not null,
  currency currency_code not null,
  captured bigint not null default 0,
  released bigint not null default 0,
  state text not null default 'open',
  expires_at timestamptz,
  placed_at timestamptz not null,
  ended_at timestamptz,
  constraint hold_pkey primary key (id),
  constraint hold_amount check (amount > 0),
  constraint hold_accounts check (debit <> credit),
  constraint hold_parts check (captured >= 0 and released >= 0 and captured + released <= amount),
  constraint hold_state check (
    case state
      when 'open' then released = 0 and captured < amount and ended_at is null
      when 'captured' then captured > 0 and captured + released = amount and ended_at is not null
      when 'released' then released > 0 and captured + released = amount and ended_at is not null
      when 'expired' then released > 0 and captured + released = amount and ended_at is not null and expires_at is not null
      else false
    end
  )
);
comment on table hold is
  'Money that is reserved at an account of this branch. Guarded by the lock of its debit account, whose held is the sum of what its open holds have left: amount - captured - released. What happened to it stands in transfer.';
comment on column hold.id is 'The transfer that placed it.';
comment on column hold.serial is 'In the order in which they were placed, for pages.';
comment on column hold.released is 'Given back: by release, by expiry, or the rest of a final capture.';
comment on column hold.expires_at is 'From when on it is refused as expired, whether the expiry was booked or not.';
create index hold_debit on hold (debit, serial);
create index hold_due on hold (expires_at) where state = 'open';

create trigger hold_is_immutable before update of id, serial, debit, credit, amount, currency, expires_at, placed_at or delete on hold
  for each row execute function journal_is_immutable();
create trigger hold_is_not_truncated before truncate on hold
  for each statement execute function journal_is_immutable();
grant select, insert, update (captured, released, state, ended_at) on hold to nostro_commit;

create table reversal (
  original uuid not null,
  amount bigint not null,
  reversed bigint not null,
  constraint reversal_pkey primary key (original),
  constraint reversal_reversed check (reversed > 0 and reversed <= amount)
);
comment on table reversal is
  'How much of a transfer has gone back, at the branch of the account that was paid, whose lock guards it. Each reversal stands in transfer.';
comment on column reversal.original is 'The transfer.';
comment on column reversal.amount is 'What it moved.';
create trigger reversal_is_immutable before update of original, amount or delete on reversal
  for each row execute function journal_is_immutable();
create trigger reversal_is_not_truncated before truncate on reversal
  for each statement execute function journal_is_immutable();
grant select, insert, update (reversed) on reversal to nostro_commit;

alter table transfer
  add column hold uuid,
  add column is_final boolean,
  add column expires_at timestamptz,
  add column asked bigint,
  add column original uuid,
  drop constraint transfer_kind,
  drop constraint transfer_sides;
comment on column transfer.hold is 'The hold that a capture, a release or an expiry is of.';
comment on column transfer.is_final is 'Of a capture: whether it gave the rest of the hold back.';
comment on column transfer.expires_at is 'Of a hold.';
comment on column transfer.original is 'The transfer of which a reversal moves money back.';
comment on column transfer.asked is 'Of a transfer of what is available: at most so much; amount is what was moved.';
comment on column transfer.amount is 'In minor units. Of a hold what it reserved, of a release or an expiry what it gave back.';
alter table transfer
  add constraint transfer_asked check (asked is null or (kind = 'transfer' and asked >= amount)),
  -- The usual kind first: it is checked at every posting.
  add constraint transfer_kind check (
    case kind
      when 'transfer' then hold is null and is_final is null and expires_at is null and original is null
      when 'deposit' then hold is null and is_final is null and expires_at is null and original is null
      when 'withdrawal' then hold is null and is_final is null and expires_at is null and original is null
      when 'hold' then hold is null and is_final is null and original is null
      when 'capture' then hold is not null and is_final is not null and expires_at is null and original is null
      when 'release' then hold is not null and is_final is null and expires_at is null and original is null
      when 'expiry' then hold is not null and is_final is null and expires_at is null and original is null
      when 'reversal' then hold is null and is_final is null and expires_at is null and original is not null
      else false
    end
  ),
  add constraint transfer_sides check (
    case when debit_seq is null and credit_seq is null
      then coalesce(debit_balance_after, credit_balance_after) is null
        and coalesce(debit_previous, credit_previous) is null
        and (refusal is not null or kind in ('hold', 'release', 'expiry'))
      else refusal is null
        and (debit_seq is null) = (debit_balance_after is null)
        and (credit_seq is null) = (credit_balance_after is null)
        and (debit_previous is null) = (coalesce(debit_seq, 1) = 1)
        and (credit_previous is null) = (coalesce(credit_seq, 1) = 1)
        and (kind = 'transfer' or kind not in ('hold', 'release', 'expiry'))
    end
  );
