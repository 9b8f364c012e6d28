"""Convert weights from and to PyTorch's files. `--help` and fomm_jax/cli/convert.py say how."""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # While the program loads, Ctrl-C ends it without a word. `ending_by_signals` changes that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from fomm_jax.cli.convert import start

if __name__ == "__main__":
    start()
