"""Find what a training step spends its time on."""

from fomm_jax.cli.flags import read_config_and_workdir
from fomm_jax.training.profiling import profile_step

NUM_PRINTED = 20  # operations


def run() -> None:
    """Profile a training step of --config, and write the results into --workdir."""
    config, workdir = read_config_and_workdir()
    folder = workdir / "profile"
    profile = profile_step(config, folder)
    total = sum(profile.parts.values())
    print(f"{profile.title}\n{1000 * total:.4g} ms a step, of all devices or threads together\n")
    print("| part | ms a step | share |\n| --- | --- | --- |")
    for part, seconds in profile.parts.items():
        print(f"| {part} | {1000 * seconds:.4g} | {seconds / total:.1%} |")
    print("\n| operation | kind | source | ms a step | share |\n| --- | --- | --- | --- | --- |")
    for operation in profile.operations[:NUM_PRINTED]:
        instruction = operation.instruction
        print(
            f"| {instruction.scope.rpartition('/')[2]} {instruction.shape} | {instruction.kind}"
            f" | {instruction.source} | {1000 * operation.seconds:.4g}"
            f" | {operation.seconds / total:.1%} |"
        )
    print(f"\nAll operations: {folder / 'operations.csv'}\nPage: {folder / 'profile.html'}")
    print(f"Trace, for TensorBoard's profiler or XProf: {profile.trace}")
