-- Linked chains: transfers that are all posted or all refused.

alter table transfer
  add column chain uuid,
  add column chain_position integer,
  add column chain_length integer,
  drop constraint transfer_kind,
  -- The usual kind first: it is checked at every posting.
  add constraint transfer_kind check (
    case kind
      when 'transfer' then hold is null and is_final is null and expires_at is null and original is null and is_forced is null
      when 'deposit' then hold is null and is_final is null and expires_at is null and original is null and is_forced is null
      when 'withdrawal' then hold is null and is_final is null and expires_at is null and original is null and is_forced is null
      when 'hold' then hold is null and is_final is null and original is null and is_forced is null
      when 'capture' then hold is not null and is_final is not null and expires_at is null and original is null and is_forced is null
      when 'release' then hold is not null and is_final is null and expires_at is null and original is null and is_forced is null
      when 'expiry' then hold is not null and is_final is null and expires_at is null and original is null and is_forced is null
      when 'reversal' then hold is null and is_final is null and expires_at is null and original is not null
      else false
    end
  ),
  add constraint transfer_chain check (
    case when chain is null
      then chain_position is null and chain_length is null and refusal is distinct from 'chain_broken'
      else chain_position is not null and chain_length is not null
        and chain_length between 1 and 8192 and chain_position between 0 and chain_length - 1
        and (chain_position = 0) = (id = chain)
    end
  );
comment on column transfer.chain is 'The first link of the chain that it is of; null if it is of none.';
comment on column transfer.chain_position is 'Its place in the chain, 0 for the first.';
comment on column transfer.chain_length is 'How many links the chain has.';
