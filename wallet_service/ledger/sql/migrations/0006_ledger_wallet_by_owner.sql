-- An operation can name its wallet by the wallet's user and currency.
alter type wallet.operation add attribute by_owner boolean;   -- it did, and wallet_id is what was found
