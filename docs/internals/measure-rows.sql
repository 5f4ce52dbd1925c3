-- What one row costs a backend, by shape and by way in: the figures of performance.md.
--
--   createdb lab && psql -X -f docs/internals/measure-rows.sql lab      as a superuser of a PostgreSQL on Linux that may be thrown away
--
-- With `-v history=20000000` so many transfers of a million accounts are in the two indexed tables before.
-- CPU is the backend's own, from /proc/self/stat, so that other work on the machine disturbs it little.
\set QUIET 1
\pset tuples_only on
set client_min_messages = warning;
set jit = off;
set plan_cache_mode = force_generic_plan;
set enable_hashjoin = off;
set enable_mergejoin = off;

create function cpu_us() returns numeric language plpgsql as $$
declare
  fields text[] := string_to_array(split_part(pg_read_file('/proc/self/stat'), ') ', 2), ' ');
begin
  return (fields[12]::numeric + fields[13]::numeric) * 10000;
end
$$;

-- 8,000 transfers with version 7 ids of now, of 100,000 accounts.
create table source (id uuid, debit bigint, credit bigint, amount bigint, seq bigint, previous uuid);
create procedure fill() language plpgsql as $$
declare
  now_ms bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
begin
  truncate source;
  insert into source
  select (lpad(to_hex(now_ms + i / 100), 12, '0') || '7' || lpad(to_hex(i), 3, '0') || '8' || substr(md5(random()::text), 1, 15))::uuid,
         1000000001042 + floor(random() * 100000)::bigint, 2000000001042 + floor(random() * 100000)::bigint, 100,
         floor(random() * 100000)::bigint, gen_random_uuid()
  from generate_series(1, 8000) i;
end
$$;

create procedure measure(name text, rounds integer, statement text) language plpgsql as $$
declare
  cpu numeric := 0;
  log numeric := 0;
  cpu_before numeric;
  log_before pg_lsn;
  ids bigint[];
  figures bigint[];
  lasts uuid[];
begin
  for round in 1..rounds loop
    call fill();
    ids := (select array_agg(id order by id) from (select distinct 1000000001042 + floor(random() * 100000)::bigint as id from generate_series(1, 8000)) drawn);
    if name like '%any order%' then
      ids := (select array_agg(id order by random()) from unnest(ids) id);
    end if;
    figures := (select array_agg(floor(random() * 1000000)::bigint) from unnest(ids));
    lasts := (select array_agg(gen_random_uuid()) from unnest(ids));
    copy (select id, 'transfer'::text, debit, credit, amount, 'USD'::text, 0, null::text, 'AZ-1-123456'::text, now(), null::text,
            1000000::bigint, seq, null::bigint, null::bigint, previous from source) to '/tmp/measure-rows.bin' with (format binary);
    commit;
    cpu_before := cpu_us();
    log_before := pg_current_wal_insert_lsn();
    execute statement using ids, figures, lasts;
    commit;
    if round > rounds / 4 then
      cpu := cpu + cpu_us() - cpu_before;
      log := log + (pg_current_wal_insert_lsn() - log_before);
    end if;
  end loop;
  raise warning '%  % us  % bytes of log', rpad(name, 52), lpad(round(cpu / (rounds - rounds / 4) / 8000, 2)::text, 6), lpad(round(log / (rounds - rounds / 4) / 8000)::text, 5);
end
$$;

create procedure table_for_transfers(name text) language plpgsql as $$
begin
  execute format(
    'create table %I (id uuid not null, kind text not null, debit bigint not null, credit bigint not null, amount bigint not null,
       currency text not null, category integer not null, reference text, batch text not null, posted_at timestamptz not null, refusal text,
       debit_balance_after bigint, debit_seq bigint, credit_balance_after bigint, credit_seq bigint, previous uuid,
       check (kind in (''transfer'', ''deposit'', ''withdrawal'')), check (amount > 0), check (debit <> credit), check (category between 0 and 65535))',
    name);
end
$$;

create table account (
  id bigint primary key, balance bigint not null default 0, seq bigint not null default 0, last_transfer uuid, held bigint not null default 0,
  overdraft_limit bigint not null default 0, customer bigint, opened_at timestamptz not null default clock_timestamp(),
  request_id uuid unique, kind text not null, currency text not null, state text not null default 'open',
  check (held >= 0), check (balance - held + overdraft_limit >= 0), check (state = 'open' or (balance = 0 and held = 0))
) with (fillfactor = 70);
insert into account (id, customer, kind, currency, request_id, last_transfer)
select 1000000001042 + i, 1900000000000 + i, 'checking', 'USD', gen_random_uuid(), gen_random_uuid() from generate_series(0, 99999) i;
vacuum analyze account;

call table_for_transfers('bare');
call table_for_transfers('keyed');
alter table keyed add primary key (id);
call table_for_transfers('by_account');
call table_for_transfers('chained');
\if :{?history}
  -- Ids of a month ago, accounts at random, an account's lines numbered roughly as they come.
  insert into by_account
  select (lpad(to_hex((extract(epoch from now()) * 1000)::bigint - 2592000000 + i / 100), 12, '0') || '7' || lpad(to_hex(i % 4096), 3, '0') || '8' || lpad(to_hex(i), 15, '0'))::uuid,
         'transfer', 1000000001042 + floor(random() * 1000000)::bigint, 2000000001042 + floor(random() * 1000000)::bigint, 100, 'USD', 0, null,
         'AZ-1-123456', now(), null, 1000000, i / 1000000 + 1, null, null, null
  from generate_series(1, :history) i;
  insert into chained select * from by_account;
\endif
alter table by_account add primary key (id);
create index on by_account (debit, debit_seq) where debit_seq is not null;
alter table chained add primary key (id);
create index on chained (debit, debit_seq) where debit_seq % 64 = 0;
create index on chained (credit, credit_seq) where credit_seq % 64 = 0;
checkpoint;

\set ROWS 'select id, ''transfer'', debit, credit, amount, ''USD'', 0, null, ''AZ-1-123456'', now(), null, 1000000, seq, null, null'
call measure('accounts: lock and read', 40, 'select count(balance) from (select * from account where id = any($1) for no key update) locked');
call measure('accounts: update by key, any order', 40, 'update account a set balance = w.balance, seq = w.balance, last_transfer = w.last from unnest($1, $2, $3) as w (id, balance, last) where a.id = w.id');
call measure('accounts: update by key, in order', 40, 'update account a set balance = w.balance, seq = w.balance, last_transfer = w.last from unnest($1, $2, $3) as w (id, balance, last) where a.id = w.id');
call measure('transfers: insert, no index', 20, 'insert into bare ' || :'ROWS' || ', null from source');
call measure('transfers: insert, key', 20, 'insert into keyed ' || :'ROWS' || ', null from source');
call measure('transfers: insert, key and (account, sequence)', 40, 'insert into by_account ' || :'ROWS' || ', null from source');
call measure('transfers: insert, key, chain, every 64th', 40, 'insert into chained ' || :'ROWS' || ', previous from source');
call measure('transfers: COPY, key, chain, every 64th', 40, 'copy chained from ''/tmp/measure-rows.bin'' with (format binary)');
