"""Datasets as TFDS builders: one file for each dataset of the paper, and one for any folder."""
