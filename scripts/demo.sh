#!/usr/bin/env bash
# Draws clips, takes the faces out of them, trains a detector, tests it, and says where all is.
# Usage: bash scripts/demo.sh            (again: reuses what is installed, starts a new run)
cd "$(dirname "$0")/.."

cat <<'TEXT'
deepfake_lightning demo
  1. installs into .venv what is missing: about 3 GB to download, 7 GB of disk, 3 minutes or more
  2. draws 24 people as short clips, real and forged: half a minute
  3. finds and cuts out their faces: seconds
  4. trains EfficientNet-Lite0 on them and tests it: about 2 minutes on two CPU cores
The faces are drawn. The demo proves that the pipeline works, and nothing about real deepfakes.

TEXT

EXTRAS=''
export DEEPFAKE_WORKSPACE=mlops # what configs/demo.yaml reads
source scripts/set_up.sh
run() { echo; echo "\$ deepfake-lightning $*"; "$VENV/bin/deepfake-lightning" "$@"; }

started=$SECONDS
[ -e mlops/data/demo ] || run data demo
run extract mlops/data/demo --out mlops/data/demo_faces --sampling even:8
run data show mlops/data/demo_faces --config configs/demo.yaml
run fit --config configs/demo.yaml
checkpoint=$(ls -td mlops/runs/demo/v1.0.0*/ | head -n 1)checkpoints/best.ckpt
run test --ckpt_path "$checkpoint"
report=$(ls -td mlops/evaluation/reports/demo-*-test*/ | head -n 1)
seconds=$((SECONDS - started))

cat <<TEXT

done in $((seconds / 60)) min $((seconds % 60)) s
  drawn clips             mlops/data/demo
  their faces             mlops/data/demo_faces (a contact sheet: mlops/evaluation/data.png)
  checkpoint              $checkpoint
  curves and pictures     $VENV/bin/tensorboard --logdir mlops/runs
  results                 $report (metrics.json, predictions.parquet, plots)
next: train on your own videos (folders real/ and fake/):
  $VENV/bin/deepfake-lightning extract FOLDER --out faces
  $VENV/bin/deepfake-lightning fit --config configs/lite0.yaml --data.root faces
TEXT
