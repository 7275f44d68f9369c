"""A room with jobs for tests."""
