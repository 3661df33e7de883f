"""The subcommands that talk to a web tier, one module each."""
