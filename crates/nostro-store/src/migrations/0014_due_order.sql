-- Holds that are due at one instant, such as midnight, are read in pages too: behind the last one's time and id.

drop index hold_due;
create index hold_due on hold (due_at, id) where due_at is not null;
