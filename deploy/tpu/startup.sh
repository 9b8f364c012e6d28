#!/bin/bash
# Runs on every host of a slice when it starts; train.sh sends it there. It trains until the run is
# done, and leaves the log in /var/log/fomm.log.
set -euo pipefail
exec >> "${LOG:-/var/log/fomm.log}" 2>&1
metadata() {
    curl --fail --silent --header='Metadata-Flavor: Google' \
        "http://metadata.google.internal/computeMetadata/v1/instance/attributes/$1"
}
mapfile -t arguments < <(metadata arguments)
workdir=${arguments[0]#--workdir=}
FOMM_JAX_JOB=$(metadata job) # a later start of this job may take the workdir over
export FOMM_JAX_JOB

mkdir -p "${FOLDER:=/opt/fomm_jax}"
cd "$FOLDER"
gcloud storage cat "$(metadata code)" | tar --extract --gzip
if [ ! -d .venv ]; then
    python3 -m venv .venv
fi
.venv/bin/pip install --quiet --constraint=constraints.txt 'jax[tpu]' --editable '.[train,vgg16,gcs]'

# 75: another host is gone. 137: killed, for lack of memory say. 143: SIGTERM, saved.
for _ in {1..100}; do
    status=0
    .venv/bin/python main.py --distributed --mode=train "${arguments[@]}" || status=$?
    case $status in
        0) gcloud storage cp - "$workdir/finished" <<< done; break ;;
        75 | 137 | 143) ;;
        *) exit $status ;;
    esac
done
