"""What is raised when an export is not what it was made of; by itself, since raising it needs no torch."""


class ProofError(Exception):
    """The export does not answer as torch does."""
