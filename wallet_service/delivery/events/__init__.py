"""What happened, in one order: numbered events, read page by page and as a stream."""
