"""Ways of scaling a fleet, each a process of the model: ours, and those of others."""
