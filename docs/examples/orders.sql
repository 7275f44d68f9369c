-- A shop on the same database takes credits for an order inside its own transaction: both happen, or neither does.
-- Once, as the owner of the database: the shop's login, its tables, and the one right that it needs.
create role shop nologin;
grant shop to current_user;
create schema shop authorization shop;
grant usage on schema wallet_api to shop;
grant execute on function wallet_api.post_transactions to shop;

-- A customer with 100 credits.
select wallet_api.create_wallet('0199f0a0-0000-7000-8000-000000000001', 'shop', 'customer-ada',
  '{"user_id": "ada", "wallet_type": "fiat", "currency": "CREDIT", "name": "main"}',
  '{"transaction_id": "0199f0a0-0000-7000-8000-000000000002", "client_id": "shop", "amount": "100"}'
)::jsonb -> 'wallet' ->> 'balance' as balance;

-- From here on as the shop.
set role shop;
create table shop.orders (order_id uuid primary key, wallet_id uuid not null, price text not null);

-- The key names the order: placed twice, it is paid once. An order that can't be paid raises, and so isn't there.
create function shop.place_order(p_order_id uuid, p_wallet_id uuid, p_price text) returns text
language plpgsql as $$
declare
  v_operation jsonb := jsonb_build_object('transaction_id', gen_random_uuid(), 'type', 'consume',
    'wallet_id', p_wallet_id, 'amount', p_price, 'client_id', 'shop', 'idempotency_key', 'order-' || p_order_id);
  v_outcome jsonb;
begin
  v_outcome := wallet_api.post_transactions(
    jsonb_build_array(jsonb_build_object('operations', jsonb_build_array(v_operation))))::jsonb -> 0 -> 0;
  if coalesce(v_outcome ->> 'status', '') not in ('posted', 'replayed') then
    raise exception 'order % is not paid: %', p_order_id, v_outcome ->> 'code' using detail = v_outcome ->> 'facts';
  end if;
  insert into shop.orders values (p_order_id, p_wallet_id, p_price) on conflict do nothing;
  return v_outcome -> 'transaction' ->> 'balance_after';
end $$;

-- Paid and kept in one commit.
begin;
select shop.place_order('0199f0a0-0000-7000-8000-00000000000a', '0199f0a0-0000-7000-8000-000000000001', '30') as balance;
commit;

-- The shop's own transaction fails after that: the credits come back with it.
begin;
select shop.place_order('0199f0a0-0000-7000-8000-00000000000b', '0199f0a0-0000-7000-8000-000000000001', '30') as balance;
rollback;

-- Placed again, for instance after a lost connection: paid once.
select shop.place_order('0199f0a0-0000-7000-8000-00000000000a', '0199f0a0-0000-7000-8000-000000000001', '30') as balance;

-- More than is there: no order, and nothing moved.
select shop.place_order('0199f0a0-0000-7000-8000-00000000000c', '0199f0a0-0000-7000-8000-000000000001', '70.000001');

-- What is left of it all.
select order_id, price from shop.orders;
reset role;
select t.wallet_version, t.transaction_type, trim_scale(t.amount) as amount, trim_scale(t.balance_after) as balance_after
from wallet.wallet_transactions t where t.wallet_id = '0199f0a0-0000-7000-8000-000000000001' order by t.wallet_version;
