"""`python -m bench.peers`: the same as `python -m bench peers`."""

from bench.peers.command import command

command(prog_name="python -m bench.peers")
