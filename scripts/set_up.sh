# Sourced by demo.sh and test.sh: makes .venv and installs what is missing.
# Expects the current folder to be the repository's, and EXTRAS ('' or '[dev]').
set -euo pipefail

PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
STAMP="$VENV/.installed$EXTRAS"

# Waiting threads sleep instead of spinning for the cores that loaders and tests share.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
unset PYTHONDONTWRITEBYTECODE # images set it; each of many processes would compile all anew

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "Python 3.11 or newer is needed; set PYTHON to one, e.g. PYTHON=python3.12 bash $0" >&2
  exit 2
fi
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"

# Installed before for these dependencies: nothing to do.
wanted="$(cat pyproject.toml)"
if [ "$(cat "$STAMP" 2>/dev/null)" != "$wanted" ]; then
  free_kb=$(df -Pk . | awk 'NR == 2 { print $4 }')
  if [ "$free_kb" -lt 9000000 ]; then
    echo "about 9 GB of free disk are needed here, there are $((free_kb / 1000000)) GB" >&2
    exit 1
  fi
  echo "installing into $VENV (PyTorch with its GPU libraries is most of it) ..."
  # What is imported is compiled then, and most never is.
  "$VENV/bin/python" -m pip install --disable-pip-version-check --no-compile -e ".$EXTRAS"
  "$VENV/bin/python" -c 'import deepfake_lightning, torch, lightning'
  printf '%s' "$wanted" >"$STAMP"
fi
