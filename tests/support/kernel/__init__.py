"""Checks of the kernel by direct SQL. The ordinary tests run them all; each mutant runs the one that must fail."""
