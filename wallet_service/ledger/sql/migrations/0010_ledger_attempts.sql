-- Attempts have an order: the attempt of the caller, and within it how often the service sent the operation.
alter type wallet.operation add attribute attempt integer;    -- of the caller, from 1
alter type wallet.operation add attribute sending integer;    -- of this attempt by the service, from 1

-- The defaults are what a tombstone of release 0.1.0 stands for.
alter table wallet.tombstones
  add column attempt integer not null default 1,
  add column sending integer not null default 2;
comment on table wallet.tombstones is 'operations that were refused in this attempt and sending: an earlier one must not post when it arrives late';
