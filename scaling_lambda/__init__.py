"""The scaling Lambda: observe the queue and the fleet, decide, apply. It imports nothing of ours but itself."""
