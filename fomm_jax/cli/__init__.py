"""The command line of main.py: flags, dispatch, and one file for each mode."""
