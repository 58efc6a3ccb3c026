"""Several statements inside the caller's transaction, which `Connection.executescript` would commit."""

import sqlite3


def run(connection: sqlite3.Connection, statements: str) -> None:
    """Execute statements that are separated by semicolons. Raises sqlite3.Error."""
    for statement in statements.split(";"):
        connection.execute(statement)
