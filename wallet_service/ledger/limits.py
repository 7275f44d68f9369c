"""How much group commit lets wait, and how much it sends at a time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of group commit.

    Attributes:
        lanes: number of lanes; each sends one batch at a time.
        locked_lanes: most calls that wait for a locked wallet at a time; each of them occupies a connection.
        batch_operations: most operations of a batch. A unit is never divided, so a larger one is a batch by itself.
        queue_operations: most operations that wait for their batch; more are refused as Overloaded. As many more can
            wait for locked wallets and keys; beyond that they are refused as WalletBusy.
        queue_wait_ms: longest wait of an operation for its batch; then it is refused as Overloaded.
        lock_wait_ms: longest wait of an operation for a locked wallet or key; then it is refused as WalletBusy.
    """

    lanes: int = 1
    locked_lanes: int = 4
    batch_operations: int = 200
    queue_operations: int = 10_000
    queue_wait_ms: int = 5000
    lock_wait_ms: int = 2000
