"""The one error that a user of the data side sees."""


class DataError(Exception):
    """Raw data, a dataset folder or an option is not as expected.

    The message is one line for the user: what was found where, what was expected, and what to do. The command line
    prints it without a traceback.
    """
