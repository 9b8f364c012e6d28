"""Flags whose values are paths."""

from absl import flags

from fomm_jax.errors import InputError
from fomm_jax.user_paths import parse_path, parse_stored_path


class PathParser(flags.ArgumentParser[str]):
    """Reads the path that a user writes; see `user_paths.parse_path`."""

    syntactic_help = "a path"

    def parse(self, argument: str) -> str:
        """Return the path.

        Raises:
          ValueError: it cannot be used. absl adds the name of the flag to the message.
        """
        try:
            return parse_path(argument)
        except InputError as error:
            raise ValueError(str(error)) from error

    def flag_type(self) -> str:
        """Return the name of the type for --helpxml."""
        return "path"


class StoredPathParser(PathParser):
    """Reads a path that may lead into a bucket; see `user_paths.parse_stored_path`."""

    def parse(self, argument: str) -> str:
        """Return the path.

        Raises:
          ValueError: as in `PathParser`.
        """
        try:
            return parse_stored_path(argument)
        except InputError as error:
            raise ValueError(str(error)) from error


class PathOrNothingParser(PathParser):
    """Reads a path, or nothing, by which a user turns off what has a path by default."""

    def parse(self, argument: str) -> str:
        """Return the path, or "" for nothing.

        Raises:
          ValueError: as in `PathParser`.
        """
        return super().parse(argument) if argument else ""


PATH = PathParser()
STORED_PATH = StoredPathParser()
PATH_OR_NOTHING = PathOrNothingParser()
PATH_SERIALIZER: flags.ArgumentSerializer[str] = flags.ArgumentSerializer()
