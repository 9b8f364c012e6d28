"""The manifests for Kubernetes fit its schemas, and their commands are those of this project."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from absl import flags

import main  # noqa: F401  # defines the flags
from fomm_jax.cli.config_names import list_names
from fomm_jax.config.parsing import check_field

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
VERSION = "1.30"  # of Kubernetes, the oldest one with everything that the manifests use

by_manifest = pytest.mark.parametrize("name", ["tpu.yaml", "gpu.yaml"])


def read_job(name):
    """Return the manifest of a JobSet, and its only job."""
    manifest = yaml.safe_load((FOLDER / name).read_text())
    (job,) = manifest["spec"]["replicatedJobs"]
    return manifest, job


@by_manifest
def test_the_job_fits_the_schema(name):
    """The schemas are those of Kubernetes itself, without the JobSet around the job."""
    manifest, job = read_job(name)
    assert (manifest["apiVersion"], manifest["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    assert set(manifest["spec"]) == {"failurePolicy", "replicatedJobs"}
    assert set(job) == {"name", "replicas", "template"}
    kubernetes_validate.validate(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": job["name"]},
            **job["template"],
        },
        VERSION,
        strict=True,
    )


def test_a_misspelt_field_is_noticed():
    _, job = read_job("tpu.yaml")
    job["template"]["spec"]["backoffLimits"] = 0
    with pytest.raises(kubernetes_validate.ValidationError, match="backoffLimits"):
        kubernetes_validate.validate(
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {}, **job["template"]},
            VERSION,
            strict=True,
        )


@by_manifest
def test_the_command_has_flags_that_exist(name):
    manifest, job = read_job(name)
    spec = job["template"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["command"] == ["fomm-jax", "train"]
    options = dict(argument[2:].partition("=")[::2] for argument in container["args"])
    for option in options:
        if option.startswith("config."):
            check_field(option)
        else:
            assert option in flags.FLAGS
    assert options["config"] in list_names()
    assert spec["parallelism"] == spec["completions"]
    if name == "gpu.yaml":
        assert options["num_processes"] == str(spec["completions"])
        jobset = manifest["metadata"]["name"]
        assert options["coordinator"] == f"{jobset}-{job['name']}-0-0.{jobset}:1234"
    (chips,) = container["resources"]["limits"].values()
    assert int(options["config.train.batch_size"]) % (chips * spec["completions"]) == 0
