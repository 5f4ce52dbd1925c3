-- A hold that never expires leaves no trace in the index on due holds when it ends, so its row is updated in its own page.

drop index hold_due;
alter table hold
  set (fillfactor = 50),
  add column due_at timestamptz generated always as (case when state = 'open' then expires_at end) stored;
comment on column hold.due_at is 'When it expires, while it is open; null if it never does or has ended. For the index of due holds.';
comment on table hold is
  'Money that is reserved at an account of this branch. Guarded by the lock of its debit account, whose held is the sum of what its open holds have left: amount - captured - released. What happened to it stands in transfer. Fill factor 50: the holds of a page are often captured together, each in its own page.';
create index hold_due on hold (due_at) where due_at is not null;
