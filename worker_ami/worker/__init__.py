"""The worker: message, fetch, decode, classify, answer; until nothing is left to do."""
