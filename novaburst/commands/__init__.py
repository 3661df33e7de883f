"""The subcommands, one module each, and what they share."""
