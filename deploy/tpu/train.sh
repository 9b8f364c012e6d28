#!/bin/bash
# Trains on a slice of Cloud TPU, from this machine, until the run is done. Spot slices are cheap and
# are taken away at any moment: then this asks for another one, which goes on from the last checkpoint.
#
#   TPU=fomm ZONE=us-central1-a TYPE=v5litepod-16 RUNTIME=v2-alpha-tpuv5-lite \
#   CODE=gs://BUCKET/fomm_jax.tar.gz WORKDIR=gs://BUCKET/vox_256 \
#       deploy/tpu/train.sh --config=configs/vox_256.py --config.dataset.root_dir=gs://BUCKET/vox \
#       --config.train.batch_size=128 --config.train.checkpoint_minutes=10
#
# CODE is a packed checkout: git archive HEAD | gzip | gcloud storage cp - gs://BUCKET/fomm_jax.tar.gz
set -euo pipefail
resources="gcloud compute tpus queued-resources"
arguments=$(mktemp)
trap 'rm -f "$arguments"' EXIT
printf '%s\n' "--workdir=$WORKDIR" "$@" > "$arguments"

until gcloud storage ls "$WORKDIR/finished" > /dev/null 2>&1; do
    state=$($resources describe "$TPU" --zone="$ZONE" --format='value(state.state)' 2> /dev/null) || state=none
    case $state in
        SUSPENDED | FAILED)
            $resources delete "$TPU" --zone="$ZONE" --force --quiet
            ;;
        none)
            $resources create "$TPU" --node-id="$TPU" --zone="$ZONE" --spot \
                --accelerator-type="$TYPE" --runtime-version="$RUNTIME" \
                --metadata="code=$CODE,job=$TPU" \
                --metadata-from-file="startup-script=$(dirname "$0")/startup.sh,arguments=$arguments"
            ;;
    esac
    sleep "${POLL:-60}"
done
$resources delete "$TPU" --zone="$ZONE" --force --quiet
