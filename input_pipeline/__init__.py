"""The input pipeline: from files on disk to batches of arrays on the host."""
