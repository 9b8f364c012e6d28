"""When checkpoints are due by the clock."""

from fomm_jax.config.schema import TrainConfig
from fomm_jax.training import schedule


def test_minutes_count_from_the_last_checkpoint_at_logged_steps(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(schedule.time, "monotonic", lambda: clock[0])
    settings = TrainConfig(num_steps=30, checkpoint_every=12, checkpoint_minutes=1.0, log_every=2)
    plan = schedule.Schedule(settings, steps_per_epoch=100)
    saved = []
    for step in range(1, 31):
        clock[0] += 10  # seconds a step
        if plan.save_is_due(step):
            plan.begin_minutes()
            saved.append(step)
    # Six steps are a minute: 6; 12 by the steps too; then 18, 24 and the last one.
    assert saved == [6, 12, 18, 24, 30]
    clock[0] += 10
    settings = TrainConfig(num_steps=30, checkpoint_every=8, checkpoint_minutes=1.0, log_every=5)
    plan = schedule.Schedule(settings, steps_per_epoch=100)
    saved = []
    for step in range(1, 31):
        clock[0] += 10
        if plan.save_is_due(step):
            plan.begin_minutes()
            saved.append(step)
    # After 8 a minute is over at 14, which is not logged; 16 comes first by one step: 15 is.
    assert saved == [8, 15, 16, 24, 30]


def test_without_minutes_the_clock_is_of_no_concern(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(schedule.time, "monotonic", lambda: clock[0])
    plan = schedule.Schedule(TrainConfig(num_epochs=4, checkpoint_freq=3, log_every=1), 2)
    saved = []
    for step in range(1, 9):
        clock[0] += 1e6
        if plan.save_is_due(step):
            plan.begin_minutes()
            saved.append(step)
    assert saved == [6, 8]
    assert [plan.epochs(step) for step in (1, 2, 7, 8)] == [0, 1, 3, 4]
