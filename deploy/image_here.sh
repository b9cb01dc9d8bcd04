#!/usr/bin/env bash
# Builds the Dockerfile's image where there is no Docker, with Debian's buildah in a chroot, and looks into it.
#
#   apt-get install buildah mmdebstrap
#   deploy/image_here.sh [WORK_DIR]       root on Debian 12; 40 GB under WORK_DIR (runs/image), which may go afterwards
#
# No registry of images is asked. So two stand-ins take the place of what the Dockerfile would pull: Debian's own Python
# that of python:3.11-slim-bookworm, and a script that of Beam's boot, which starts nothing. All else is the real thing.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "${1:-runs/image}"
work=$(realpath "${1:-runs/image}")
export BUILDAH_ISOLATION=chroot
# STORAGE_DRIVER=vfs works where the kernel allows no overlays, and takes several times the space.
buildah() {
  command buildah --root "$work/storage" --runroot "$work/run" --storage-driver "${STORAGE_DRIVER:-overlay}" "$@"
}

import() {  # NAME, FOLDER or TAR: an image of one layer
  local id
  id=$(buildah from scratch)
  buildah add --quiet "$id" "$2" / >/dev/null
  buildah commit --quiet "$id" "localhost/$1" >/dev/null
  buildah rm "$id" >/dev/null
}

if [ ! -f "$work/debian.tar" ]; then
  mmdebstrap --quiet --variant=minbase --include=python3-dev,python3-venv,ca-certificates bookworm "$work/debian.tar"
fi
mkdir -p "$work/beam/opt/apache/beam"
printf '#!/bin/sh\necho "a stand-in: it starts no worker" >&2\nexit 1\n' > "$work/beam/opt/apache/beam/boot"
chmod +x "$work/beam/opt/apache/beam/boot"
import debian-python "$work/debian.tar"
import beam-stand-in "$work/beam"

# What must not get in: in the environment of the build, and in a file beside the code.
token=hf_$(head -c 30 /dev/urandom | base64 | tr -dc 'a-zA-Z0-9')
echo "$token" > "$work/token"
# This machine's certificates and pip settings, for where its way to the package index leads through a proxy.
volumes=(--volume /etc/ssl/certs:/etc/ssl/certs:ro)
[ ! -f /etc/pip.conf ] || volumes+=(--volume /etc/pip.conf:/etc/pip.conf:ro)
HF_TOKEN=$token buildah bud --quiet --layers --build-arg BASE=localhost/debian-python \
  --build-arg BEAM=localhost/beam-stand-in "${volumes[@]}" --tag localhost/segpipe . >/dev/null

id=$(buildah from localhost/segpipe)
trap 'buildah rm "$id" >/dev/null' EXIT
in_image() { buildah run --volume "$PWD/configs:/configs:ro" "$id" -- "$@"; }
root=$(buildah mount "$id")
! grep -rqF "$token" "$root/opt" "$root/home" "$root/etc" || { echo "the token is in a layer" >&2; exit 1; }
! buildah inspect "$id" | grep -qF "$token" || { echo "the token is in the image's config" >&2; exit 1; }
[ "$(in_image id -u)" = 1000 ] || { echo "it does not run as user 1000" >&2; exit 1; }
! in_image touch /opt/segpipe/x 2>/dev/null || { echo "its user may change the code" >&2; exit 1; }
du -sh "$root/opt/segpipe" "$root"

in_image segpipe --version
in_image python -m segpipe.pipeline.vertex.step --helpshort | head -n 1
in_image segpipe run /configs/demo.toml --set train.epochs=1 --set gate.min_mean_iou=0.0 \
  --set output_dir=/home/segpipe/run
