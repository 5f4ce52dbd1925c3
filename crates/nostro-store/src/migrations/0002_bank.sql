create table branch (
  code text not null,
  number integer not null,
  name text not null,
  time_zone text not null,
  address text not null,
  constraint branch_pkey primary key (code),
  constraint branch_number_key unique (number),
  constraint branch_code check (code ~ '^[A-Z]{2,4}$'),
  constraint branch_number check (number between 1 and 9000000)
);
comment on table branch is 'The directory: every branch of the bank, in every branch. No secret stands here.';
comment on column branch.time_zone is 'IANA name; the branch''s business day is reckoned in it.';

create sequence customer_serial minvalue 900000000000 maxvalue 999999999999;
comment on sequence customer_serial is 'Serials of customers'' numbers; above those of accounts, so that a number names one thing.';
create sequence account_serial minvalue 1042 maxvalue 899999999999;
comment on sequence account_serial is 'Serials of customers'' accounts; those below are the bank''s own.';

create table customer (
  id bigint not null,
  request_id uuid not null,
  name text not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint customer_pkey primary key (id),
  constraint customer_request_id_key unique (request_id),
  constraint customer_serial check (id % 1000000000000 >= 900000000000),
  constraint customer_name check (char_length(name) between 1 and 140)
);
comment on table customer is 'Customers of this branch.';
comment on column customer.id is 'Branch number x 10^12 + serial.';
comment on column customer.request_id is 'The client''s id of the request that made it: the idempotency key.';

create table account (
  id bigint not null,
  customer bigint,
  kind text not null,
  currency text not null,
  balance bigint not null default 0,
  held bigint not null default 0,
  overdraft_limit bigint not null default 0,
  seq bigint not null default 0,
  state text not null default 'open',
  last_posted_at timestamptz,
  opened_at timestamptz not null default clock_timestamp(),
  request_id uuid,
  close_request_id uuid,
  constraint account_pkey primary key (id),
  constraint account_request_id_key unique (request_id),
  constraint account_close_request_id_key unique (close_request_id),
  constraint account_customer_fkey foreign key (customer) references customer (id),
  constraint account_serial check (id % 1000000000000 between 1 and 899999999999),
  constraint account_kind check (kind in ('checking', 'savings', 'cash')),
  constraint account_owner check ((kind = 'cash') = (customer is null)),
  constraint account_currency check (currency ~ '^[A-Z]{3}$'),
  constraint account_held check (held >= 0),
  constraint account_overdraft_limit check (overdraft_limit >= 0),
  constraint account_within_limit check (customer is null or balance - held + overdraft_limit >= 0),
  constraint account_seq check (seq >= 0),
  constraint account_state check (state in ('open', 'closed')),
  constraint account_closed_is_empty check (state = 'open' or (balance = 0 and held = 0))
) with (fillfactor = 70);
comment on table account is 'Accounts of this branch, with their present figures. Fill factor 70: a posting updates the row in its own page.';
comment on column account.id is 'Branch number x 10^12 + serial. The cash account of a currency has the currency''s ISO 4217 number as its serial.';
comment on column account.customer is 'Whose it is; null for the bank''s own.';
comment on column account.balance is 'Credits minus debits, in minor units.';
comment on column account.held is 'Reserved by open holds, in minor units.';
comment on column account.seq is 'The number of its last entry; entries have no gaps.';
comment on column account.last_posted_at is 'No batch posts to it with an earlier time.';
comment on column account.request_id is 'The client''s id of the request that opened it: the idempotency key. Null for the bank''s own.';
comment on column account.close_request_id is 'The client''s id of the request that closed it.';
create index account_customer on account (customer);

create table transfer (
  id uuid not null,
  kind text not null,
  debit bigint not null,
  credit bigint not null,
  amount bigint not null,
  currency text not null,
  category integer not null,
  reference text,
  batch text not null,
  posted_at timestamptz not null,
  refusal text,
  debit_balance_after bigint,
  debit_seq bigint,
  credit_balance_after bigint,
  credit_seq bigint,
  constraint transfer_pkey primary key (id),
  constraint transfer_kind check (kind in ('transfer', 'deposit', 'withdrawal')),
  constraint transfer_amount check (amount > 0),
  constraint transfer_accounts check (debit <> credit),
  constraint transfer_category check (category between 0 and 65535),
  constraint transfer_sides check (
    case when refusal is null
      then (debit_seq is not null or credit_seq is not null)
        and (debit_seq is null) = (debit_balance_after is null)
        and (credit_seq is null) = (credit_balance_after is null)
      else coalesce(debit_seq, credit_seq, debit_balance_after, credit_balance_after) is null
    end
  )
);
comment on table transfer is
  'The facts: one row for every transfer at every branch that it touched, posted or refused. A cross-branch transfer has a row in each of the two databases, each with its own side. Never changed.';
comment on column transfer.id is 'Chosen by the client: the idempotency key. Version 7 grows with time, so that rows enter the index at its right edge.';
comment on column transfer.amount is 'In minor units.';
comment on column transfer.batch is 'The distributed transaction that carried it; home-incarnation-number.';
comment on column transfer.refusal is 'Why it was refused; null if it was posted. A refused transfer is recorded at its first branch only.';
comment on column transfer.debit_balance_after is 'The debit account''s balance after it (credits minus debits), if that account is of this branch.';
comment on column transfer.debit_seq is 'Its number among the debit account''s entries, if that account is of this branch.';
create index transfer_debit on transfer (debit, debit_seq) where debit_seq is not null;
create index transfer_credit on transfer (credit, credit_seq) where credit_seq is not null;

create table batch_net (
  batch text not null,
  counterparty text not null,
  currency text not null,
  amount bigint not null,
  hash bytea not null,
  constraint batch_net_pkey primary key (batch, counterparty, currency),
  constraint batch_net_hash check (octet_length(hash) = 32)
);
comment on table batch_net is
  'What a batch left between this branch and another. Positive: this branch owes it (due to), negative: it is owed (due from). Their sum is the nostro position; with it the branch''s own books balance.';
comment on column batch_net.amount is 'Credits minus debits of the nostro position, in minor units.';
comment on column batch_net.hash is 'SHA-256 over the posted transfers of the pair of branches in this batch and currency, sorted by id: the same at both branches.';

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
  'Double entry: a line for every side of a posted transfer that is of this branch, and the nostro line of every batch. Debits equal credits.';

create function account_entries(account bigint, before bigint, rows_max integer) returns setof entry
language sql stable as $$
  select * from (
    (select * from entry e where e.account = $1 and e.side = 'debit' and e.seq < $2 order by e.seq desc limit $3)
    union all
    (select * from entry e where e.account = $1 and e.side = 'credit' and e.seq < $2 order by e.seq desc limit $3)
  ) lines
  order by seq desc
  limit $3
$$;
comment on function account_entries is 'The lines of one account below a sequence number, newest first: the one way from an account to its history.';

create trigger transfer_is_immutable before update or delete on transfer
  for each row execute function journal_is_immutable();
create trigger transfer_is_not_truncated before truncate on transfer
  for each statement execute function journal_is_immutable();
create trigger batch_net_is_immutable before update or delete on batch_net
  for each row execute function journal_is_immutable();
create trigger batch_net_is_not_truncated before truncate on batch_net
  for each statement execute function journal_is_immutable();

grant select on branch, entry to nostro_commit;
grant select, insert on customer, transfer, batch_net to nostro_commit;
grant select, insert on account to nostro_commit;
grant update (balance, held, seq, state, last_posted_at, close_request_id) on account to nostro_commit;
grant usage on sequence customer_serial, account_serial to nostro_commit;
