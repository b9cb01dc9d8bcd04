#!/usr/bin/env bash
# Runs the whole graph as an Airflow 2 DAG, in an environment of its own under .airflow/ (uv; 2 minutes the first time).
#
#   runners/airflow_test.sh [CONFIG]
set -euo pipefail
cd "$(dirname "$0")/.."
config=$(realpath "${1:-configs/demo.toml}")
home=${AIRFLOW_HOME:-$PWD/.airflow}
python=$home/venv/bin/python
export AIRFLOW_HOME=$home AIRFLOW__CORE__LOAD_EXAMPLES=False AIRFLOW__CORE__DAGS_FOLDER=$PWD/runners
# The pipeline is imported for each task; the default of 30 s is short for TensorFlow on a busy laptop.
export AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT=300 SEGPIPE_CONFIG=$config

if [ ! -x "$home/venv/bin/airflow" ]; then
  uv venv --quiet --python 3.11 "$home/venv"
  uv pip install --quiet --python "$python" --no-deps --requirement requirements.lock
  uv pip install --quiet --python "$python" --no-deps --no-build-isolation --editable .
  # What Airflow shares with the pipeline stays at the pipeline's version, also where Airflow would take another.
  uv pip freeze --quiet --python "$python" --exclude-editable > "$home/ours.txt"
  uv pip install --quiet --python "$python" 'apache-airflow>=2.10,<3' --overrides "$home/ours.txt"
fi
"$home/venv/bin/airflow" db migrate
name=$("$python" -c 'import sys; from segpipe import config; print(config.load(sys.argv[1]).name)' "$config")
# A moment of its own: TFX names artifacts after it, and each name is taken once.
"$home/venv/bin/airflow" dags test "$name" "$(date -u +%Y-%m-%dT%H:%M:%S)"
