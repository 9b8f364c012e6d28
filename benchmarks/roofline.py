"""Estimate the time that a compiled program would take on TPU chips on which it was not measured.

The estimate of a step is

    max(FLOPs / peak, bytes / HBM bandwidth) + communication that does not overlap with other work

The first term is a lower bound, and the cycles of the compiler's own model may be several times
higher. The scaling efficiency compares the time of a chip alone with its time among 256 chips, at
the same batch per chip. Its estimate is rather too low: a real step is longer, but pays for the
same communication. The estimate assumes that

- the matrix units run at their bfloat16 peak. This includes float32 convolutions, which JAX by
  default multiplies as bfloat16 on TPU. Convolutions at a higher precision take several passes, and
  convolutions of few channels fill the matrix units only in part; both take longer;
- memory is read and written at full bandwidth while the chip computes, and arithmetic other than
  products takes no time;
- an all-reduce over all chips runs in rings along the sides of a torus. Each chip sends
  2 (n - 1) / n times the array (Patarasuk and Yuan, 2009) over all of its links, and waits
  2 Σ (side - 1) times for a hop. All other collectives take half of that. On slices smaller than
  the pod, whose sides are not closed to rings, an all-reduce may take twice as long;
- the chips of a group, as in an all-reduce of `train.batch_norm_devices`, lie in a row;
- overlapped communication costs nothing, and the input is always ready.

The sources of the chips' numbers are docs.cloud.google.com/tpu/docs/v5e, …/v5p and …/v6e: the
bfloat16 peak, the HBM bandwidth and the HBM of a chip, and for the interconnect (ICI) half of the
"bidirectional bandwidth per chip", which counts both directions. On v5e this is 200 GB/s, which
agrees with the 51.2 TB/s that the same page states for an all-reduce of a pod of 256. The latency
of a hop is 1 µs in ASTRA-sim's validation on TPU v3, "as per TPU research team"
(astra-sim.github.io). The scaling book (jax-ml.github.io/scaling-book/tpus) uses 0.5 µs for v5e.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.hlo import Collective

HOP_SECONDS = 1e-6


class Chip(NamedTuple):
    """A generation of TPU."""

    peak: float  # bfloat16 FLOP/s
    hbm_bandwidth: float  # bytes/s
    hbm: float  # bytes
    ici_bandwidth: float  # bytes/s that a chip sends over all of its links
    pod: tuple[int, ...]  # numbers of chips along the sides of a torus of 256


CHIPS = {
    "v5e": Chip(197e12, 819e9, 16e9, 200e9, (16, 16)),
    "v5p": Chip(459e12, 2765e9, 95 * 2**30, 600e9, (4, 8, 8)),
    "v6e": Chip(918e12, 1638e9, 32e9, 400e9, (16, 16)),
}


class Estimate(NamedTuple):
    """The parts of a step's time, in seconds."""

    compute: float
    memory: float
    communication: float  # only what does not overlap with other work

    @property
    def step(self) -> float:
        """The time of the whole step, in seconds."""
        return max(self.compute, self.memory) + self.communication


def estimate(
    chip: Chip,
    flops: float,
    hbm_bytes: float,
    collectives: Iterable[Collective],
    sides: tuple[int, ...],
) -> Estimate:
    """Estimate the time of a step on a torus of chips.

    Args:
      chip: the kind of the chips.
      flops: the operations of one chip.
      hbm_bytes: the bytes that one chip reads from its main memory and writes to it.
      collectives: the communication of the step.
      sides: the numbers of chips along the sides of the torus.
    """
    return Estimate(
        flops / chip.peak,
        hbm_bytes / chip.hbm_bandwidth,
        sum(
            collective_seconds(chip, collective, sides)
            for collective in collectives
            if not collective.overlapped
        ),
    )


def collective_seconds(chip: Chip, collective: Collective, sides: tuple[int, ...]) -> float:
    """Return the seconds that a collective of all chips of a torus, or of groups in rows, takes."""
    if collective.group is not None:
        sides = (collective.group,)
    chips = math.prod(sides)
    passes = 2 if collective.kind == "all-reduce" else 1
    sent = collective.size * (chips - 1) / chips
    hops = sum(side - 1 for side in sides)
    return passes * (sent / chip.ici_bandwidth + hops * HOP_SECONDS)


def scaling_efficiency(estimated: Estimate) -> float:
    """Return the time of a step on one chip over its time on the torus (weak scaling)."""
    return max(estimated.compute, estimated.memory) / estimated.step
