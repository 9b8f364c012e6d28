"""Everything between files on disk and a batch of host arrays."""
