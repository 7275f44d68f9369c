"""Registration of this instance in Consul, and the Consul agent."""
