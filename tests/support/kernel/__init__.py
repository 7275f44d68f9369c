"""Checks of the kernel, straight from SQL. The ordinary tests run them all; each mutant runs those that must fail."""
