-- A full audit compares everything that both branches have of a transfer, not its kind alone. What was kept of closed months has
-- nothing of it: the next audit reads those that are here anew. Of those that were taken out it stays unknown.

drop function draw_batches, draw_moves;
alter table audit_batch rename column kinds to contents;
comment on column audit_batch.contents is
  'SHA-256 over what else both branches have of the same transfers, in the same order; null where no money moved between branches, and of months that were taken out before it was kept.';
select forget_audited_period(a.period)
from audit_period a
join transfer_period p on p.period = a.period
where p.detached_at is null;
update audit_batch set contents = null;

create function draw_moves(periods integer[], branch bigint) returns table (
  id uuid, batch text, period integer, kind text, currency text, posted_at timestamptz, moved boolean, other bigint, net bigint,
  bytes bytea, contents text
)
language sql stable as $$
  select t.id, t.batch, t.period, t.kind, t.currency, t.posted_at, t.moved,
    case when not t.moved then $2 when t.debit / 1000000000000 = $2 then t.credit / 1000000000000
      else t.debit / 1000000000000 end,
    case when not t.moved then 0 when t.debit / 1000000000000 = $2 then t.amount else -t.amount end,
    uuid_send(t.id) || int8send(t.debit) || int8send(t.credit) || int8send(t.amount) || convert_to(t.currency, 'UTF8'),
    (t.kind, t.category, t.reference, t.asked, t.is_forced, t.is_final, t.hold, t.original, t.chain, t.chain_position,
      t.chain_length)::text
  from (
    select m.*,
      m.refusal is null and m.kind not in ('hold', 'release', 'expiry')
        and m.debit / 1000000000000 <> m.credit / 1000000000000 as moved
    from transfer m
    where m.period = any($1)
  ) t
$$;
comment on function draw_moves is
  'The transfers of partitions with the other branch, seen from the one with this number. The bytes are those of batch_net.hash; contents are what else both branches have.';

create function draw_batches(periods integer[], branch bigint) returns table (
  period integer, batch text, counterparty text, currency text, transfers bigint, net numeric, hash bytea, contents bytea,
  first_posted_at timestamptz, last_posted_at timestamptz
)
language sql stable as $$
  select g.period, g.batch, coalesce(b.code, g.other::text), g.currency, g.transfers, g.net, g.hash, g.contents, g.first_posted_at,
    g.last_posted_at
  from (
    select m.batch, m.other, m.currency, m.period, count(*) as transfers, sum(m.net) as net,
      sha256(string_agg(m.bytes, ''::bytea order by m.id) filter (where m.moved)) as hash,
      sha256(convert_to(string_agg(m.contents, ' ' order by m.id) filter (where m.moved), 'UTF8')) as contents,
      min(m.posted_at) as first_posted_at, max(m.posted_at) as last_posted_at
    from draw_moves($1, $2) m
    group by m.batch, m.other, m.currency, m.period
  ) g
  left join branch b on b.number = g.other
$$;
comment on function draw_batches is 'What each batch has in partitions of transfer, by the other branch.';

create or replace function keep_audited_period(wanted integer, by_audit uuid) returns boolean
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
  insert into audit_batch (period, batch, counterparty, currency, transfers, net, hash, contents, first_posted_at, last_posted_at)
  select b.period, b.batch, b.counterparty, b.currency, b.transfers, b.net, b.hash, b.contents, b.first_posted_at, b.last_posted_at
  from draw_batches(array[wanted], this_branch) b;
  return true;
end
$$;
