"""The command line: flags, dispatch, and one file for each mode."""
