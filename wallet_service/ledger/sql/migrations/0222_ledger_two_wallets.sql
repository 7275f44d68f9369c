-- A type of operations that a room decides can be about two wallets.

alter type wallet.operation_type add attribute to_wallet boolean;    -- of the form room: it names a second wallet
