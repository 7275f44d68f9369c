"""Registration with Consul and its agent."""
