"""Helpers for the tests of the database."""


def dicts(connection, text):
    """Run a query and return its rows as dicts."""
    cursor = connection.execute(text)
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
