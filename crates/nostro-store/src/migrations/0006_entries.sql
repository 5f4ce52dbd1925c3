-- The chain of an account's lines is followed within the month of each line first (docs/adr/0008).

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
    select top.before, t.period, t.id, t.debit = $1 as is_debit, t.kind, t.amount, t.currency, t.debit, t.credit, t.reference, t.batch, t.posted_at,
           case when t.debit = $1 then t.debit_seq else t.credit_seq end as seq,
           case when t.debit = $1 then t.debit_balance_after else t.credit_balance_after end as balance_after,
           case when t.debit = $1 then t.debit_previous else t.credit_previous end as previous
    from top
    join transfer t on t.period = transfer_period_of(top.id) and t.id = top.id
    union all
    select line.before, t.period, t.id, t.debit = $1, t.kind, t.amount, t.currency, t.debit, t.credit, t.reference, t.batch, t.posted_at,
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
         case when is_debit then credit else debit end, reference, batch, posted_at
  from line
  where seq < before
  order by seq desc
  limit $3
$$;
