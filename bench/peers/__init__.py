"""Other ways to serve the same model on the same machine, and ours, behind one client: `python -m bench peers`.

The servers run in environments of their own, where little of the project can be imported: this file imports nothing.
"""
