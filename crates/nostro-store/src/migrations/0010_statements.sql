-- Balances and statements of past instants, and the category of an entry (docs/adr/0008).

create or replace view entry as
  select debit as account, null::text as nostro, debit_seq as seq, id as transfer, kind, 'debit' as side,
         amount, currency, debit_balance_after as balance_after, credit as counterparty, reference, batch, posted_at, category
  from transfer
  where debit_seq is not null
  union all
  select credit, null, credit_seq, id, kind, 'credit', amount, currency, credit_balance_after, debit, reference, batch, posted_at,
         category
  from transfer
  where credit_seq is not null
  union all
  select null, counterparty, null, null, null, case when amount < 0 then 'debit' else 'credit' end,
         abs(amount), currency, null, null, null, batch, null, null
  from batch_net;

create or replace function account_entries(account bigint, before bigint, rows_max integer) returns setof entry
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
    select top.before, t.period, t.id, t.debit = $1 as is_debit, t.kind, t.amount, t.currency, t.debit, t.credit, t.reference, t.batch,
           t.posted_at, t.category,
           case when t.debit = $1 then t.debit_seq else t.credit_seq end as seq,
           case when t.debit = $1 then t.debit_balance_after else t.credit_balance_after end as balance_after,
           case when t.debit = $1 then t.debit_previous else t.credit_previous end as previous
    from top
    join transfer t on t.period = transfer_period_of(top.id) and t.id = top.id
    union all
    select line.before, t.period, t.id, t.debit = $1, t.kind, t.amount, t.currency, t.debit, t.credit, t.reference, t.batch,
           t.posted_at, t.category,
           case when t.debit = $1 then t.debit_seq else t.credit_seq end,
           case when t.debit = $1 then t.debit_balance_after else t.credit_balance_after end,
           case when t.debit = $1 then t.debit_previous else t.credit_previous end
    from line
    cross join lateral (
      -- Nearly always of the same month, and to reckon its month costs as much as to look it up. An id is in one
      -- partition only, so the first row is the only one.
      select t.* from transfer t where t.period = line.period and t.id = line.previous
      union all
      select t.*
      from transfer t
      where t.period = transfer_period_of(line.previous) and t.period <> line.period and t.id = line.previous
      limit 1
    ) t
    where line.seq > line.before - $3
  )
  select $1, null::text, seq, id, kind, case when is_debit then 'debit' else 'credit' end, amount, currency, balance_after,
         case when is_debit then credit else debit end, reference, batch, posted_at, category
  from line
  where seq < before
  order by seq desc
  limit $3
$$;

create function account_as_of(account bigint, instant timestamptz) returns table (seq bigint, balance bigint)
language sql stable rows 1 as $$
  with recursive halving as (
    -- The first marked line (every 64th) that is later than the instant, by halves: times never run backwards along an
    -- account's lines. One that is in the archive counts as earlier.
    select 1::bigint as low, a.seq / 64 + 1 as high
    from account a
    where a.id = $1
    union all
    select case when probe.is_later then halving.low else half.middle + 1 end,
           case when probe.is_later then half.middle else halving.high end
    from halving
    cross join lateral (select (halving.low + halving.high) / 2 as middle) half
    cross join lateral (
      select exists (
        select from transfer t
        where t.debit = $1 and t.debit_seq = half.middle * 64 and t.debit_seq % 64 = 0 and t.posted_at > $2
      ) or exists (
        select from transfer t
        where t.credit = $1 and t.credit_seq = half.middle * 64 and t.credit_seq % 64 = 0 and t.posted_at > $2
      ) as is_later
    ) probe
    where halving.low < halving.high
  ), near as (
    -- From there, or from the account's last line, back to the marked line before it.
    select e.seq, e.side, e.amount, e.balance_after, e.posted_at
    from halving
    cross join lateral account_entries($1, halving.high * 64 + 1, 65) e
    where halving.low = halving.high
  ), found as (
    select n.seq, n.balance_after from near n where n.posted_at <= $2 order by n.seq desc limit 1
  ), lowest as (
    select n.seq, n.side, n.amount, n.balance_after from near n order by n.seq limit 1
  ), archive as (
    -- Everything in it was posted before this: an id is a day from its posting at most, and a day more is for clocks.
    select max((make_date(p.period / 100, p.period % 100, 1) + interval '1 month 2 days') at time zone 'UTC') as ends
    from transfer_period p
    where p.detached_at is not null
  )
  select
    case
      when found.seq is not null then found.seq
      when a.seq = 0 or lowest.seq = 1 then 0
      when archive.ends <= $2 then coalesce(lowest.seq - 1, a.seq)
    end,
    case
      when found.seq is not null then found.balance_after
      when a.seq = 0 or lowest.seq = 1 then 0
      -- The line before is in the archive, and so earlier than the instant.
      when archive.ends <= $2 and lowest.seq is null then a.balance
      when archive.ends <= $2 then lowest.balance_after + case lowest.side when 'debit' then lowest.amount else -lowest.amount end
    end
  from account a
  cross join archive
  left join found on true
  left join lowest on true
  where a.id = $1
$$;
comment on function account_as_of is
  'The last line of an account at or before an instant, and the balance then (credits minus debits): 0 and 0 before the first line, nulls if that is in the archive and nobody knows here. By itself it is not final: a batch that has read its clock may still post before the instant. The server first waits for the account''s row.';
