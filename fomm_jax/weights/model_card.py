"""The model card of a published model: what it may be used for, and how it was trained."""

import yaml

from fomm_jax.config.schema import Config

# The beginnings of the rules in docs/responsible_use.md.
RULES = (
    "Animate people only with their consent. Do not use the model to deceive, mock or expose"
    " anybody.",
    "Keep the mark. Every film and picture carries a machine-readable statement that a generative"
    " model made it.",
    "In the EU, Article 50 of the AI Act (Regulation 2024/1689) obliges those who use such a model,"
    " except for private purposes, to disclose deep fakes visibly.",
)
TITLES = {
    "first-order": "First Order Motion Model (Siarohin et al., NeurIPS 2019)",
    "thin-plate": "Thin-Plate Spline Motion Model (Zhao and Zhang, CVPR 2022)",
}


def write_card(repository: str, config: Config, trained_on: str, licence: str) -> str:
    """Return the model card as Markdown, with the fields that the hub reads at its head.

    Args:
      repository: the name of the model on the hub, ORGANISATION/NAME.
      config: the configuration of the model.
      trained_on: what the model was trained on and by whom, in sentences.
      licence: the licence of the weights, by the hub's name for it, such as "cc-by-4.0" or "other".
    """
    fields = {
        "license": licence,
        "library_name": "fomm_jax",
        "pipeline_tag": "image-to-video",
        "tags": ["jax", "flax", "image-animation", f"{config.model.name}-motion-model"],
    }
    height, width = config.dataset.frame_shape[:2]
    rules = "\n".join(f"- {rule}" for rule in RULES)
    return f"""---
{yaml.safe_dump(fields, sort_keys=False).strip()}
---

# {repository.rpartition("/")[2]}

A {TITLES[config.model.name]} in JAX: a picture moves the way a video does. It was trained on frames
of {height} x {width} pixels.

    pip install 'fomm_jax[hub]'
    fomm-jax animate --checkpoint=hf:{repository} --source=PICTURE --driving=VIDEO --output=FILM.mp4

```python
from fomm_jax import Animator

animator = Animator.from_pretrained("{repository}")
for frame in animator.animate(source, frames):  # (h, w, 3) uint8 in, uint8 out
    ...
```

## What it may be used for

{rules}
- The licence of the weights is {licence}. The videos that they were trained on may have terms of
  their own.

## How it was trained

{trained_on.strip()}

{_course(config)}
"""


def _course(config: Config) -> str:
    """Return a table of the settings of the training."""
    train = config.train
    length = (
        f"{train.num_steps} steps"
        if train.num_steps
        else f"{train.num_epochs} epochs of {train.num_repeats} passes over the videos"
    )
    rows = {
        "length, as configured": length,
        "pairs in a step": train.batch_size,
        "learning rates drop by 10 after the epochs": ", ".join(map(str, train.epoch_milestones)),
        "average of weights and running statistics (decay)": train.ema_decay,
        "perceptual network": f"{config.perceptual.network}, at the scales "
        + ", ".join(map(str, train.scales)),
        "adversarial loss": train.loss_weights.generator_gan,
        "other looks in the equivariance losses": "yes" if config.compat.change_looks else "",
        "seed": train.seed,
    }
    lines = [f"| {name} | {value or 'none'} |" for name, value in rows.items()]
    return "\n".join(["| setting | value |", "| --- | --- |", *lines])
