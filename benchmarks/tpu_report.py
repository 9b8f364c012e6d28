"""The figures of a program that was compiled for TPU, and their tables."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from benchmarks.hlo import NO_ESTIMATE, Collective, find_collectives, find_costs, hbm_bytes
from benchmarks.roofline import Chip, estimate, scaling_efficiency
from fomm_jax.training.program_parts import sum_by_part

COSTLIEST = 10  # the number of instructions that the report lists


def count_program(compiled: Any, chip: Chip, sides: tuple[int, ...]) -> dict[str, Any]:
    """Return the compiler's figures and the estimates, by their names in the line of JSON.

    Args:
      compiled: a `jax.stages.Compiled`, whose analyses have no types.
      chip: the chip that it was compiled for.
      sides: the numbers of chips along the sides of the topology.
    """
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    text = compiled.as_text()
    flops, traffic, collectives = cost["flops"], hbm_bytes(text), find_collectives(text)
    here = estimate(chip, flops, traffic, collectives, sides)
    pod = estimate(chip, flops, traffic, collectives, chip.pod)
    costs = find_costs(text)
    estimated = [cost for cost in costs if cost.cycles < NO_ESTIMATE]
    return {
        # Donated outputs lie in the memory of the arguments.
        "memory_bytes": memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + memory.temp_size_in_bytes
        + memory.generated_code_size_in_bytes,
        "temporary_bytes": memory.temp_size_in_bytes,
        "flops": flops,
        "bytes_accessed": cost["bytes accessed"],
        "hbm_bytes": traffic,
        "flops_per_hbm_byte": flops / traffic,
        "collectives": tally(collectives),
        "estimated_seconds": here._asdict() | {"step": here.step},
        "estimated_seconds_of_256_chips": pod._asdict() | {"step": pod.step},
        "estimated_scaling_efficiency_to_256_chips": scaling_efficiency(pod),
        "cycles": sum(cost.cycles for cost in estimated),
        "cycles_by_part": sum_by_part((cost.source, cost.cycles) for cost in estimated),
        "instructions_without_estimate": len(costs) - len(estimated),
        "costliest": [cost._asdict() for cost in costs[:COSTLIEST]],
    }


def tally(collectives: Sequence[Collective]) -> list[dict[str, Any]]:
    """Count the collectives of each kind, and their bytes; the kind with most bytes comes first.

    Collectives that overlap with other work, or run in groups of chips, are counted separately.
    """
    sizes = defaultdict(list)
    for kind, size, overlapped, group in collectives:
        sizes[kind, overlapped, group].append(size)
    return sorted(
        (
            {
                "kind": kind,
                "overlapped": overlapped,
                "group": group,
                "count": len(bytes_of_kind),
                "bytes": sum(bytes_of_kind),
                "largest_bytes": max(bytes_of_kind),
            }
            for (kind, overlapped, group), bytes_of_kind in sizes.items()
        ),
        key=lambda row: -row["bytes"],
    )


def print_table(program: str, batch: int, counted: dict[str, Any], chip: Chip) -> None:
    """Print the figures of a program, or why it does not fit, as a Markdown table."""
    print(f"\n| {program}, {batch} a chip | |\n| --- | --- |")
    if not counted["fits"]:
        print(f"| does not fit | {counted['reason']} |")
        return
    here, pod = counted["estimated_seconds"], counted["estimated_seconds_of_256_chips"]
    rows = {
        "memory": f"{counted['memory_bytes'] / 1e9:.2f} of {chip.hbm / 1e9:.1f} GB,"
        f" {counted['temporary_bytes'] / 1e9:.2f} of them temporary",
        "FLOPs": f"{counted['flops'] / 1e12:.3f} T",
        "bytes to and from HBM": f"{counted['hbm_bytes'] / 1e9:.2f} GB,"
        f" {counted['flops_per_hbm_byte']:.0f} FLOPs each;"
        f" {counted['bytes_accessed'] / 1e9:.2f} GB as XLA counts all accesses",
        **{
            row["kind"]
            + (", overlapped" if row["overlapped"] else "")
            + (f", in groups of {row['group']}" if row["group"] else ""): f"{row['count']} of"
            f" {row['bytes'] / 1e6:.1f} MB, the largest {row['largest_bytes'] / 1e6:.1f} MB"
            for row in counted["collectives"]
        },
        "estimated time": f"{1e3 * here['step']:.1f} ms: compute {1e3 * here['compute']:.1f},"
        f" memory {1e3 * here['memory']:.1f}, communication {1e3 * here['communication']:.2f}",
        "estimated rate": f"{batch / here['step']:.1f} a second a chip",
    }
    if counted["collectives"]:
        rows["estimated on 256 chips"] = (
            f"{1e3 * pod['step']:.1f} ms, communication {1e3 * pod['communication']:.2f};"
            f" efficiency {100 * counted['estimated_scaling_efficiency_to_256_chips']:.1f} %"
        )
    rows["cycles by the compiler's model"] = (
        f"{counted['cycles'] / 1e6:.1f} million, and"
        f" {counted['instructions_without_estimate']} instructions for which it has no estimate"
    )
    for number, cost in enumerate(counted["costliest"], start=1):
        known = cost["cycles"] < NO_ESTIMATE
        cycles = f"{cost['cycles'] / 1e6:.2f} million" if known else "no estimate"
        rows[f"costliest {number}"] = f"{cycles}: {cost['shape'][:60]} of {cost['source']}"
    for name, value in rows.items():
        print(f"| {name} | {value} |")


def print_parts(program: str, counted: dict[str, Any]) -> None:
    """Print the cycles of each part of the model as a Markdown table."""
    print(f"\n| {program}: part | million cycles | share |\n| --- | --- | --- |")
    for part, cycles in counted["cycles_by_part"].items():
        print(f"| {part} | {cycles / 1e6:.2f} | {cycles / counted['cycles']:.1%} |")
