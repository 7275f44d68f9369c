"""Words that every layer shares; imports nothing above it."""
