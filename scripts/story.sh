#!/usr/bin/env bash
# The whole life of a detector on drawn faces, with the commands that you would type: trained, measured,
# deployed behind the gate, asked by clients; a new forgery appears, drift and lost quality are found,
# people review, it is trained again, compared, tried in an A/B test, promoted, and rolled back.
# Usage: bash scripts/story.sh            (begins anew: what an earlier story left is removed)
#        bash scripts/story.sh --smoke    (the same steps with fewer and smaller pictures)
# It takes the deepfake-lightning of the active environment, or makes .venv as scripts/demo.sh does.
set -euo pipefail
cd "$(dirname "$0")/.."

export DEEPFAKE_WORKSPACE=${STORY:-mlops/story}
PLACE=$DEEPFAKE_WORKSPACE
# Many people with few pictures each: what is measured on them hangs less on who was drawn into a split, and
# so neither do the gate's answers, which are to be the same on processors that round differently.
if [ "${1:-}" = --smoke ]; then
  SMOKE=yes KNOWN=(--identities 96 --clips 3) CLEAN=(--identities 35 --clips 2) NEW=(--identities 48 --clips 4)
  BEFORE=70 AFTER=200 QUICKLY=2 SLOWLY=4 TEST=190 EPOCHS=5 AGAIN=3 WINDOWS=1 ITEMS=150
  NETWORK=(--data.image_size 80 --model.lr 0.002 --data.augment false --data.num_workers 0 --trainer.callbacks null)
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # of steps this small threads wait for each other
else
  SMOKE='' KNOWN=(--identities 96 --clips 4) CLEAN=(--identities 72 --clips 4) NEW=(--identities 80 --clips 4)
  BEFORE=300 AFTER=200 QUICKLY=5 SLOWLY=30 TEST=320 EPOCHS=6 AGAIN=6 WINDOWS=2 ITEMS=60
  NETWORK=(--data.image_size 96)
fi
cat <<TEXT
deepfake_lightning story, in $PLACE
The faces are drawn. It shows that every step works, and nothing about real deepfakes.
TEXT

if ! command -v deepfake-lightning >/dev/null; then
  EXTRAS=''
  source scripts/set_up.sh
  export PATH="$PWD/$VENV/bin:$PATH"
fi
case $PLACE in /*) ;; *) PLACE=$PWD/$PLACE ;; esac
if [ -e "$PLACE" ] && [ ! -e "$PLACE/.story" ]; then
  echo "$PLACE is there and was not left by a story: nothing is removed; set STORY to another folder" >&2
  exit 2
fi
rm -rf "$PLACE"
mkdir -p "$PLACE"/{deployment,monitoring,retraining}/policy
touch "$PLACE/.story"
cp scripts/story/{gate,abtest}.yaml "$PLACE/deployment/policy/"
cp scripts/story/review.yaml "$PLACE/monitoring/policy/"
# One window may well look otherwise by chance: where one is to be enough, it has more items.
sed "s/^windows_in_a_row: .*/windows_in_a_row: $WINDOWS/; s/^items: .*/items: $ITEMS/" scripts/story/drift.yaml \
  >"$PLACE/monitoring/policy/drift.yaml"
sed "s/max_epochs: .*}/max_epochs: $AGAIN}/" scripts/story/retrain.yaml >"$PLACE/retraining/policy/retrain.yaml"

# --- how it is told -------------------------------------------------------------------------------
began=$SECONDS chapter='' since=$SECONDS
tell() { # a chapter begins, and the time of the one before is kept
  [ -z "$chapter" ] || printf '%s\t%s\n' "$((SECONDS - since))" "$chapter" >>"$PLACE/times.tsv"
  chapter=$1 since=$SECONDS
  [ -z "$chapter" ] || printf '\n== %s\n' "$chapter"
}
run() { echo; echo "\$ deepfake-lightning $*"; deepfake-lightning "$@"; }
NICE='nice -n 10' # what nobody waits for takes the core that is left
aside() { # NAME COMMAND…: as in a second terminal; what it prints is kept until `hear NAME`
  local name=$1
  shift
  echo; echo "\$ deepfake-lightning $* &"
  $NICE deepfake-lightning "$@" >"$PLACE/$name.out" 2>"$PLACE/$name.err" &
  printf -v "$name" %s $!
}
hear() { # NAME: its end is waited for, and what it printed is told
  local code=0
  wait "${!1}" || code=$?
  echo; echo "… $1:"; cat "$PLACE/$1.out" "$PLACE/$1.err"
  return $code
}
fires() { # a command that has to end with exit code 4: an alert fires
  local code=0
  run "$@" || code=$?
  [ "$code" = 4 ] || { echo "exit code $code instead of 4" >&2; exit 1; }
}
traffic() { # FOLDER NUMBER SECONDS SEED
  echo; echo "$2 uploads from $1, over $3 s or more"
  python3 scripts/story/traffic.py send "$URL" "$PLACE/data/$1" --requests "$2" --seconds "$3" --seed "$4" \
    --truth "$PLACE/truth.csv"
}
served() { python3 scripts/story/traffic.py wait "$URL" "$1"; } # VERSION: the server has taken it over
review() { # everyone who is named looks at all that was drawn; some is seen by two of them
  local who
  for who in "$@"; do
    run feedback list --env production --by "$who" --out "$PLACE/todo.csv"
    python3 scripts/story/traffic.py review "$PLACE/todo.csv" --truth "$PLACE/truth.csv" --out "$PLACE/labels.csv"
    run feedback import "$PLACE/labels.csv" --source review --by "$who"
    rm "$PLACE/todo.csv" "$PLACE/labels.csv"
  done
}
minute() { sleep $((61 - 10#$(date +%S))); }
settled() { sleep $((62 - 10#$(date +%S))); } # drift is judged by minutes that are over, once all is logged
picture() { # of a page of the dashboard, where there is a browser
  [ -n "$BROWSER" ] || return 0
  mkdir -p "$PLACE/pictures"
  "$BROWSER" --headless --no-sandbox --hide-scrollbars --window-size=1280,1500 --virtual-time-budget=20000 \
    --screenshot="$PLACE/pictures/$1.png" "$PAGES/$2" >/dev/null 2>&1 || true
  if [ -s "$PLACE/pictures/$1.png" ]; then echo "picture: $PLACE/pictures/$1.png"; else echo "no picture: $BROWSER failed"; fi
}
address() { # NAME: what was begun aside serves at what it prints, which is left in NAME
  local process=${!1} line
  for _ in $(seq 600); do
    line=$(grep -oE 'http://[0-9.]+:[0-9]+' "$PLACE/$1.out" | head -n 1) && break
    kill -0 "$process" 2>/dev/null || { cat "$PLACE/$1.err" >&2; exit 1; }
    sleep 0.2
  done
  [ -n "$line" ] || { echo "$1 gives no address: see $PLACE/$1.err" >&2; exit 1; }
  printf -v "$1" %s "$line"
  echo "$1: $line"
}
finish() { # ends what still runs aside
  local left
  left=$(jobs -p)
  [ -z "$left" ] || { kill $left; wait; } 2>/dev/null || true
}
trap finish EXIT
BROWSER=$([ -n "$SMOKE" ] || command -v chromium || command -v chromium-browser || command -v google-chrome || true)

# --- the story ------------------------------------------------------------------------------------
tell "1 data: pictures of drawn people, real and forged in two ways; their faces"
run data demo --out "$PLACE/data/known" --media pictures --methods swap,mouth "${KNOWN[@]}"
run extract "$PLACE/data/known" --out "$PLACE/data/faces"
aside clean data demo --out "$PLACE/data/clean" --media pictures --methods swap,mouth --seed 8 "${CLEAN[@]}"
aside new data demo --out "$PLACE/data/new" --media pictures --methods render --seed 9 "${NEW[@]}"
aside others data demo --out "$PLACE/data/others" --media pictures --methods render --seed 10 "${NEW[@]}"

tell "2 training: v1.0.0, calibrated, measured, registered"
run fit --config configs/demo.yaml --experiment story --version v1.0.0 --data.root "$PLACE/data/faces" \
  --data.splits '{train: 0.35, val: 0.15, calib: 0.15, test: 0.1, gate: 0.25}' \
  --trainer.max_epochs "$EPOCHS" "${NETWORK[@]}"
hear clean
hear new
hear others

tell "3 evaluation"
aside evaluation evaluate v1.0.0
run registry list

tell "4 deployment: the gate, a server tried aside, staging, production"
run deploy v1.0.0 --env staging --reason "the first"
hear evaluation
aside PAGES dashboard --port 0 --watch false
run deploy v1.0.0 --env production --reason "the first"
NICE='' aside URL serve --env production --port 0 --keep_media review
address URL
address PAGES

tell "5 traffic: what was trained for"
traffic clean "$BEFORE" "$QUICKLY" 1
review ada
[ -n "$SMOKE" ] || settled
run monitor --check true
picture 1_healthy ""

tell "6 a new forgery appears"
[ "$(date +%S)" \< 45 ] || minute # it has to fill a part of a minute, not the ends of two
traffic new "$AFTER" "$SLOWLY" 2
if [ "$WINDOWS" = 2 ]; then
  minute
  traffic new "$AFTER" "$SLOWLY" 3
fi
settled

tell "7 drift, and an alert"
fires monitor --check true
picture 2_drift drift

tell "8 review: what was it?"
review ada grace
fires monitor --check true
run alerts list
run monitor --report "$PLACE/evaluation/week" --period 1h
picture 3_alerts alerts

tell "9 training again: v1.1.0, through the gate into staging"
run retrain --by story

tell "10 comparison"
aside comparison compare v1.0.0 v1.1.0

tell "11 A/B test: half of the clients get v1.1.0"
run abtest start v1.1.0 --share 0.5 --by story
served v1.1.0 # what comes before is answered by v1.0.0, outside of the test
traffic others "$TEST" "$QUICKLY" 4 # people whom no version was trained on
hear comparison
review ada grace
run abtest status
picture 4_abtest versions
run abtest promote --by story

tell "12 going back"
run rollback --to v1.0.0 --reason "an exercise" --by story
traffic clean 20 1 5
run registry list
run registry history --verify true
picture 5_back ""
tell ''

finish
trap - EXIT
echo; echo "the story took $(((SECONDS - began) / 60)) min $(((SECONDS - began) % 60)) s:"
awk -F'\t' '{ printf "  %4d s  %s\n", $1, $2 }' "$PLACE/times.tsv"
