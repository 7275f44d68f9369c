"""The one way to move money: operations in, outcomes out. Knows no HTTP and no domain."""
