#!/usr/bin/env bash
# Draws clips, takes out their faces, trains a detector, registers it with its report, and scores with
# it: in a command and over HTTP, with the same result. Says where all is.
# Usage: bash scripts/demo.sh            (again: reuses what is installed, starts a new run)
cd "$(dirname "$0")/.."

cat <<'TEXT'
deepfake_lightning demo
  1. installs into .venv what is missing: about 3 GB to download, 7 GB of disk, 3 minutes or more
  2. draws 24 people as short clips, real and forged: half a minute
  3. finds and cuts out their faces: seconds
  4. trains EfficientNet-Lite0 on them, measures it and registers it: about 2 minutes on two CPU cores
  5. scores one picture with a command and with a server: half a minute
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
checkpoint=$(ls -td mlops/runs/demo/*/ | head -n 1)checkpoints/best.ckpt
report=$(ls -td mlops/evaluation/reports/v*-test*/ | head -n 1)
run registry list
version=$(basename "$(ls -td mlops/registry/models/v*/ | head -n 1)")
bundle=mlops/registry/models/$version
run predict mlops/data/demo/videos/fake/swap --version "$version" --overlay mlops/evaluation/overlays

# One picture: the command, the server and the row it logs have to give one score.
picture=$bundle/golden/1_forged.png
"$VENV/bin/deepfake-lightning" predict "$picture" --version "$version" --json true >mlops/command.json
coproc SERVER { exec "$VENV/bin/deepfake-lightning" serve --version "$version" --port 0; }
server=$SERVER_PID
trap 'kill "$server" 2>/dev/null || true' EXIT
read -r line <&"${SERVER[0]}"
echo; echo "\$ deepfake-lightning serve --version $version --port 0"; echo "$line"
"$VENV/bin/python" - "$picture" "$line" <<'PYTHON'
import json, re, sqlite3, sys, time, urllib.request
from pathlib import Path

picture, line = sys.argv[1:]
url = re.search(r"http://[\d.:]+", line)[0]
request = urllib.request.Request(f"{url}/v1/predict", data=Path(picture).read_bytes())
with urllib.request.urlopen(request, timeout=60) as reply:
    answer = json.load(reply)
command = json.loads(Path("mlops/command.json").read_text())
row, waited = None, 0.0  # it is written within half a second, later on a busy machine
with sqlite3.connect("mlops/monitoring/predictions.db") as log:
    while row is None and waited < 30:
        time.sleep(0.5)
        waited += 0.5
        row = log.execute(
            "SELECT score FROM item_scores WHERE request_id = ?", [answer["request_id"]]
        ).fetchone()
if row is None:
    sys.exit("the prediction log has no row of the request")
(logged,) = row
print(f"{picture}: predict {command['score']:.6f}, server {answer['score']:.6f}, logged {logged:.6f}")
if not command["score"] == answer["score"] == logged:
    sys.exit("the scores differ")
PYTHON
kill "$server"
wait "$server"
rm mlops/command.json
seconds=$((SECONDS - started))

cat <<TEXT

done in $((seconds / 60)) min $((seconds % 60)) s
  drawn clips             mlops/data/demo
  their faces             mlops/data/demo_faces (a contact sheet: mlops/evaluation/data.png)
  checkpoint              $checkpoint
  curves and pictures     $VENV/bin/tensorboard --logdir mlops/runs
  report                  ${report}report.html (of drawn faces)
  the version             $bundle (start with MODEL_CARD.md)
  scored clips            mlops/evaluation/overlays
  requests                mlops/monitoring/predictions.db
next: train on your own videos (folders real/ and fake/):
  $VENV/bin/deepfake-lightning extract FOLDER --out faces
  $VENV/bin/deepfake-lightning fit --config configs/lite0.yaml --data.root faces
or score a picture over HTTP:
  $VENV/bin/deepfake-lightning serve --version $version
TEXT
