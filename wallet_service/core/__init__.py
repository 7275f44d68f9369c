"""What every layer shares. Imports nothing above it."""
