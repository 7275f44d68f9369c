"""The services around this one: Consul, where they are found, and what is asked of them."""
