"""The modes of main.py, one file each."""
