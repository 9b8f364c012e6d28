"""The configuration: its fields, their bounds, and how it is read from files and flags."""
