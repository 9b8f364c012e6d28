"""What a compiled program would cost on TPU chips that nobody has measured it on.

The estimate of a step is

    max(FLOPs / peak, bytes / HBM bandwidth) + communication that nothing overlaps

The first term is a lower bound, which the compiler's own cycles may exceed several times. Scaling
efficiency, what a chip alone would take over what it takes among 256, each with the same batch, is
then rather too low, since a longer step pays for the same communication. The estimate assumes that

- the matrix units run at their bfloat16 peak, float32 convolutions too: by default JAX multiplies
  them on TPU as bfloat16. Those at higher precision take several passes and so more, and so does
  what fills the matrix units in part, as few channels do;
- memory is read and written at full bandwidth, beside the computation, and arithmetic that is no
  product takes no time;
- an all-reduce runs in rings along the sides of a torus, over all chips: each sends
  2 (n - 1) / n times the array (Patarasuk and Yuan, 2009) over all its links, and waits
  2 Σ (side - 1) times for a hop. What gathers, scatters or sends takes half of that. On slices
  smaller than the pod, whose sides do not close to rings, it may take twice as long;
- overlapped communication costs nothing, and input is there when it is asked for.

Where the numbers of the chips come from (docs.cloud.google.com/tpu/docs/v5e, …/v5p, …/v6e): peak
bfloat16, HBM bandwidth and HBM, all a chip; for the interconnect (ICI) half of the "bidirectional
bandwidth per chip", which counts both directions. On v5e that is 200 GB/s, which agrees with the
51.2 TB/s that the same page gives for an all-reduce of a pod of 256. The latency of a hop, 1 µs, is
what ASTRA-sim's validation on TPU v3 has "as per TPU research team" (astra-sim.github.io); the
scaling book (jax-ml.github.io/scaling-book/tpus) counts with 0.5 µs for v5e.
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
    ici_bandwidth: float  # bytes/s that a chip sends, over all its links
    pod: tuple[int, ...]  # sides of a torus of 256 chips


CHIPS = {
    "v5e": Chip(197e12, 819e9, 16e9, 200e9, (16, 16)),
    "v5p": Chip(459e12, 2765e9, 95 * 2**30, 600e9, (4, 8, 8)),
    "v6e": Chip(918e12, 1638e9, 32e9, 400e9, (16, 16)),
}


class Estimate(NamedTuple):
    """Seconds of a step, and their parts."""

    compute: float
    memory: float
    communication: float  # that nothing overlaps

    @property
    def step(self) -> float:
        """All of it."""
        return max(self.compute, self.memory) + self.communication


def estimate(
    chip: Chip,
    flops: float,
    hbm_bytes: float,
    collectives: Iterable[Collective],
    sides: tuple[int, ...],
) -> Estimate:
    """A step on a torus of chips, from what one of them computes, reads and writes, and sends."""
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
    """Seconds of a collective of all chips of a torus."""
    chips = math.prod(sides)
    passes = 2 if collective.kind == "all-reduce" else 1
    sent = collective.size * (chips - 1) / chips
    hops = sum(side - 1 for side in sides)
    return passes * (sent / chip.ici_bandwidth + hops * HOP_SECONDS)


def scaling_efficiency(estimated: Estimate) -> float:
    """The share of a step's time in which chips do what one alone would do (weak scaling)."""
    return max(estimated.compute, estimated.memory) / estimated.step
