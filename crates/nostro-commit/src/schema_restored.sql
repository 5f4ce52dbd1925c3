create or replace function batch_is_of_this_incarnation() returns trigger language plpgsql as $$
begin
  if exists (select from batch_number n where new.id like n.part || '-' || n.incarnation || '-%') then
    return new;
  end if;
  if new.outcome = 'committed' then
    raise exception 'batch % is not of the present incarnation of this database', new.id
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  -- Whoever asks for a row that is there gets it: ON CONFLICT comes after this trigger.
  if not exists (select from batch b where b.id = new.id) then
    raise exception 'batch % is of an older incarnation and has no row: this database was restored, and may have lost its decision', new.id
      using errcode = 'NR001',
            hint = 'If any participant has a committed marker of it, it was committed. Keep it prepared until that is known.';
  end if;
  return new;
end
$$;
comment on function batch_is_of_this_incarnation is
  'After a restore no row is no proof: a decision of an older incarnation must not commit, and a batch of one must not be aborted because its row is missing.';

-- xid is what an audit finds candidates by, so it is not the application's to write.
revoke insert on batch, participation from nostro_commit;
grant insert (id, outcome, home, parts) on batch to nostro_commit;
grant insert (batch, outcome, home, parts) on participation to nostro_commit;
