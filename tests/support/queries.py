"""What the tests of the database share."""


def dicts(connection, text):
    """The rows that a query gives."""
    cursor = connection.execute(text)
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
