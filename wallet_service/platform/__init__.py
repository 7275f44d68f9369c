"""What every room stands on: callers, limits, HTTP, databases, other services."""
