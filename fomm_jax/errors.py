"""The error that a user can act on."""


class InputError(Exception):
    """What the user gave cannot be used.

    The message is one line that names the file or the config field and says what was expected.
    `main.py` and the other commands print it without a traceback and leave with status 2.
    """
