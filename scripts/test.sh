#!/usr/bin/env bash
# Lint, import layers, types, tests. Arguments go to pytest: bash scripts/test.sh -m slow, or -p tests.delays
# to look for what goes wrong on a busy machine only.
cd "$(dirname "$0")/.."

EXTRAS='[dev]'
source scripts/set_up.sh
step() { echo; echo "== $1"; shift; "$@"; }

step "lint" "$VENV/bin/ruff" check .
step "format" "$VENV/bin/ruff" format --check .
step "import layers" "$VENV/bin/lint-imports"
step "types" "$VENV/bin/mypy"
# By file, so that what a file's tests share is made once; in the order of tests/conftest.py.
if [ $# -eq 0 ]; then
  set -- -m "not slow" -n 3 --dist loadfile --no-loadscope-reorder --ignore tests/test_story.py
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # the processes are the parallelism
  step "the story, which is to take 4 minutes" "$VENV/bin/pytest" tests/test_story.py
fi
step "tests" "$VENV/bin/pytest" "$@"
