"""The web tier on a VM of a private OpenStack cloud."""
