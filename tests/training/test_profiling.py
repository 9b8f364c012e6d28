"""Where a step's time goes: the trace against a program whose costs are known."""

import csv
import inspect

import jax
import jax.numpy as jnp
import pytest

from fomm_jax.errors import InputError
from fomm_jax.ops import geometry
from fomm_jax.training.profiling import (
    read_instructions,
    read_operations,
    trace_steps,
    write_tables,
)
from fomm_jax.training.program_parts import part_of, sum_by_part


@jax.named_scope("generator")
def large(x):
    return jax.lax.fori_loop(0, 20, lambda _, y: jnp.tanh(y @ x), x)


@jax.named_scope("discriminator")
def small(x):
    return jnp.sum(jnp.tanh(x[:8] @ x))


@pytest.fixture(scope="module")
def compiled():
    # The number of a line makes this another program whenever lines have moved. The compilation
    # cache would take the old one, with its old lines.
    _, start = inspect.getsourcelines(geometry.antialias_downsample)

    def program(x):
        shrunk = geometry.antialias_downsample(jnp.reshape(x, (1, 256, 256, 1)), 0.5)
        return large(x).sum() + small(x) + start * shrunk.sum()

    return jax.jit(program).lower(jnp.ones((256, 256), jnp.float32)).compile()


@pytest.mark.parametrize(
    ("scope", "part"),
    [
        ("jit(step)/jvp(generator)/jit(relu)/max", "generator"),
        ("jit(step)/transpose(jvp(generator))/mul", "generator, backward"),
        ("jit(step)/jvp(generator)/grid_sample/gather", "grid_sample"),
        ("jit(step)/jvp(regenerator)/add", "elsewhere"),
        ("", "elsewhere"),
    ],
)
def test_part_of_an_operation(scope, part):
    assert part_of(scope) == part


def test_scopes_and_lines_are_told(compiled):
    actual = read_instructions(compiled.as_text(), "/fomm_jax/").values()
    assert any("generator" in instruction.scope for instruction in actual)
    lines, start = inspect.getsourcelines(geometry.antialias_downsample)
    places = {
        int(instruction.source.removeprefix("geometry.py:"))
        for instruction in actual
        if "antialias_downsample" in instruction.scope and instruction.source
    }
    assert places
    assert all(start <= place < start + len(lines) for place in places)


def test_time_is_where_the_work_is(compiled, tmp_path):
    x = jax.device_put(jnp.ones((256, 256), jnp.float32))

    def step():
        jax.block_until_ready(compiled(x))

    step()
    trace = trace_steps(step, 5, tmp_path)
    operations = read_operations(trace, compiled.as_text(), 5)
    parts = sum_by_part((row.instruction.scope, row.seconds) for row in operations)
    assert parts["generator"] > 5 * parts["discriminator"]
    # The products of the loop run 20 times a step, and the loop itself is not counted.
    assert {operation.instruction.kind for operation in operations}.isdisjoint({"while"})
    assert max(operation.calls for operation in operations) == pytest.approx(20, rel=0.1)
    assert sum(parts.values()) == pytest.approx(sum(row.seconds for row in operations))
    write_tables(tmp_path, operations, parts, "A program")
    with (tmp_path / "operations.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(operations)
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1)
    assert "generator" in (tmp_path / "profile.html").read_text()
    with pytest.raises(InputError, match="has no operation of the step"):
        read_operations(trace, "", 5)
