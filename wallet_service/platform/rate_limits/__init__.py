"""Rate limits: what a request costs, what a caller has left, and how instances share one limit."""
