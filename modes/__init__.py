"""What main.py does in each of its modes: data, networks and files brought together.

Only here do `fomm_jax` and `input_pipeline` meet. A mode takes plain arguments, prints where its
outputs are, and raises `InputError` where a user can help; the flags are main.py's.
"""
