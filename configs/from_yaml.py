"""Any model of the original, from its own YAML file.

    python main.py --config=configs/from_yaml.py:PATH.yaml --workdir=W --mode=train

Cost and score: those of the model.
"""

from ml_collections import ConfigDict

from fomm_jax.config.original_yaml import read_original_yaml
from fomm_jax.errors import InputError
from fomm_jax.user_paths import expand_home


def get_config(path: str = "") -> ConfigDict:
    """Return the configuration in a YAML file of the original.

    Raises:
      InputError: no file is named; or the errors of `read_original_yaml`.
    """
    if not path:
        raise InputError("from_yaml: expected a file, as in from_yaml:PATH")
    return read_original_yaml(expand_home(path))
