"""A plugin of SQLAlchemy's for SQLite under several processes: each transaction takes the write lock as it begins.

Begun without it, one that has read and then writes fails at once when another one is writing, however long it may wait.
"""

from sqlalchemy import event
from sqlalchemy.engine import CreateEnginePlugin


class Immediate(CreateEnginePlugin):
    """Chosen by `plugin=immediate` in a database's URL."""

    def update_url(self, url):
        """Nothing in the URL is for us but our name."""
        return url

    def engine_created(self, engine):
        """Begin transactions ourselves; oslo.db leaves alone those that are marked so."""

        @event.listens_for(engine, "begin")
        def begin(connection):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.info["in_transaction"] = True
