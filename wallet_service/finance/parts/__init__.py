"""The parts of entries: what money was for."""
