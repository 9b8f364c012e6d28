"""Train the AVD network of a finished thin-plate spline motion model, or continue its training."""

from fomm_jax.cli.flags import CHECKPOINT, WORKDIR, read_config_and_workdir
from fomm_jax.cli.modes.train import Task, run_task
from fomm_jax.config.avd_stage import avd_stage
from fomm_jax.errors import naming
from fomm_jax.weights.find_checkpoint import check_is_model

FOLDER = "avd"  # in the workdir of the model


def run() -> None:
    """Train in the folder `avd` of --workdir, for the model of --checkpoint or else of --workdir.

    The program ends as `--mode=train` does.
    """
    run_task(_read_task)


def _read_task() -> Task:
    """Read what to train.

    Raises:
      InputError: the model has no AVD network, or there is no trained model.
    """
    config, workdir = read_config_and_workdir()
    model = CHECKPOINT.value or WORKDIR.value
    assert model is not None, "`read_config_and_workdir` has refused that"
    of_stage = avd_stage(config, model)
    with naming("--checkpoint" if CHECKPOINT.value else "--workdir"):
        check_is_model(model)
    return Task(of_stage, workdir / FOLDER, None)
