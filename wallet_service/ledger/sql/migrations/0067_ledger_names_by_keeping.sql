-- A name is taken among the wallets of one keeping, as a primary wallet is: a user's record must not keep an operating wallet from being
-- created. indexes.sql builds the index. Until then the lock of lock_user_currency keeps the rule alone.
drop index wallet.wallets_open_name;
