"""The paper's datasets, and any folder of videos, as TFDS builders."""
