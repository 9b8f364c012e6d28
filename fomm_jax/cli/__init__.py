"""The command line: flags, dispatch, and one file per mode."""
