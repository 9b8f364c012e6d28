"""Flags whose values are paths."""

from collections.abc import Callable

from absl import flags

from fomm_jax.errors import InputError
from fomm_jax.user_paths import parse_model_path, parse_path, parse_stored_path


class PathParser(flags.ArgumentParser[str]):
    """Reads the path that a user writes."""

    syntactic_help = "a path"

    def __init__(self, read: Callable[[str], str]):
        """Take a function of `user_paths` that reads paths."""
        super().__init__()
        self._read = read

    def parse(self, argument: str) -> str:
        """Return the path.

        Raises:
          ValueError: it cannot be used. absl adds the name of the flag to the message.
        """
        try:
            return self._read(argument)
        except InputError as error:
            raise ValueError(str(error)) from error

    def flag_type(self) -> str:
        """Return the name of the type for --helpxml."""
        return "path"


class PathOrNothingParser(PathParser):
    """Reads a path, or nothing, by which a user turns off what has a path by default."""

    def parse(self, argument: str) -> str:
        """Return the path, or "" for nothing.

        Raises:
          ValueError: as in `PathParser`.
        """
        return super().parse(argument) if argument else ""


PATH = PathParser(parse_path)
STORED_PATH = PathParser(parse_stored_path)  # may lead into a bucket
MODEL_PATH = PathParser(parse_model_path)  # may lead into a bucket, or be a model on the hub
PATH_OR_NOTHING = PathOrNothingParser(parse_path)
PATH_SERIALIZER: flags.ArgumentSerializer[str] = flags.ArgumentSerializer()
