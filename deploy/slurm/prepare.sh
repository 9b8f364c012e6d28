#!/bin/bash
# Prepares a dataset on many nodes: a job array does the parts, and a job after it makes the dataset.
#
#   deploy/slurm/prepare.sh 16 --dataset=voxceleb --input=/shared/vox --output=gs://BUCKET/data
#
# The first argument is the number of parts; each becomes a job with CPUS (8) processors. All nodes
# see the raw files under the same path. Submit it in the folder of main.py, with the Python
# environment active. If a part fails, submit the same again: what is done is not done twice.
set -euo pipefail
parts=$1
shift
command="exec python -m input_pipeline.prepare $(printf '%q ' "$@")"
array=$(sbatch --parsable --job-name=prepare --output=%x-%A_%a.log --array="1-$parts" \
    --cpus-per-task="${CPUS:-8}" \
    --wrap="$command --workers=${CPUS:-8} --part=\$SLURM_ARRAY_TASK_ID/$parts")
sbatch --job-name=prepare --output=%x-%j.log --dependency="afterok:${array%%;*}" \
    --kill-on-invalid-dep=yes --wrap="$command --workers=1"
