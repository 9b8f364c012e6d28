"""The configuration: its fields, and how files and flags become one."""
