-- Linked chains: transfers that are all posted or all refused.

alter table transfer
  add column chain uuid,
  add column chain_position integer,
  add column chain_length integer,
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
