"""Rate limits: the cost of requests, and the tokens that callers have left over all instances."""
