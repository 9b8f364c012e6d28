"""Names of files as text that every file and terminal can hold."""


def readable(text: str) -> str:
    """Return text with names of files in it as text that every file and terminal can hold.

    Python writes a byte of a name that is not UTF-8 as half of a character, which no encoding has.
    Here it becomes an escape such as \\xe9.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
