"""The modes of the program, one file each."""
