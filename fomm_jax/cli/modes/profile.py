"""Find what a training step spends its time on."""

from fomm_jax import console
from fomm_jax.cli.flags import read_config_and_workdir
from fomm_jax.files import check_can_write
from fomm_jax.training.profiling import profile_step

NUM_PRINTED = 20  # operations


def run() -> None:
    """Profile a training step of --config, and write the results into --workdir."""
    config, workdir = read_config_and_workdir()
    folder = workdir / "profile"
    check_can_write(folder / "profile.html")
    profile = profile_step(config, folder)
    total = sum(profile.parts.values())
    console.say(
        f"{profile.title}\n{1000 * total:.4g} ms a step, of all devices or threads together\n"
    )
    console.say("| part | ms a step | share |\n| --- | --- | --- |")
    for part, seconds in profile.parts.items():
        console.say(f"| {part} | {1000 * seconds:.4g} | {seconds / total:.1%} |")
    console.say(
        "\n| operation | kind | source | ms a step | share |\n| --- | --- | --- | --- | --- |"
    )
    for operation in profile.operations[:NUM_PRINTED]:
        instruction = operation.instruction
        console.say(
            f"| {instruction.scope.rpartition('/')[2]} {instruction.shape} | {instruction.kind}"
            f" | {instruction.source} | {1000 * operation.seconds:.4g}"
            f" | {operation.seconds / total:.1%} |"
        )
    console.say(f"\nAll operations: {folder / 'operations.csv'}\nPage: {folder / 'profile.html'}")
    console.say(f"Trace, for TensorBoard's profiler or XProf: {profile.trace}")
