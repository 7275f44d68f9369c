"""Many small debits of a process, sent as batches in the background: each is charged, refused or reported unsent."""

from wallet_client.meter.meters import AsyncUsageMeter, UsageMeter
from wallet_client.meter.usage import MeterClosed, MeterCounts, MeterFull, Unsent, Usage

__all__ = ["AsyncUsageMeter", "MeterClosed", "MeterCounts", "MeterFull", "Unsent", "Usage", "UsageMeter"]
