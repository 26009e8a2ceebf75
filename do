#!/usr/bin/env bash
# One script for laptop and CI: sets palate up in .venv, then runs a job.
#
#   ./do demo [OPTIONS]            train on data that palate makes, score, rank, draw (palate demo --help)
#   ./do test [--all] [ARGS]       every check: ruff, pyright, import-linter, pytest; --all adds the slow tests,
#                                  (as CI=true does), ARGS go to pytest
#   ./do palate ...                any other verb of palate, from this checkout
#   ./do setup                     only the set-up
#
# PYTHON=/path/to/python chooses another interpreter (3.11 or newer) for a .venv that is not there yet.
set -euo pipefail
cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")"

say() { printf '%s\n' "$*" >&2; }

usable() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3; do
    if usable "$candidate"; then
      printf '%s' "$candidate"
      return
    fi
  done
  say "palate needs Python 3.11 or newer with venv and pip; tried ${PYTHON:+$PYTHON, }python3.11, python3.12, python3." \
    "Install one (Debian: apt install python3 python3-venv), or name it: PYTHON=/path/to/python ./do ${1:-demo}"
  exit 2
}

# pip's output is kept for the day something fails.
install() {
  .venv/bin/python -m pip --disable-pip-version-check --no-input install --root-user-action=ignore \
    -c constraints.txt "$@" >>.venv/setup.log 2>&1 && return
  tail -n 30 .venv/setup.log >&2
  say "the set-up failed at: pip install -c constraints.txt $*  (everything it said: $PWD/.venv/setup.log)"
  exit 1
}

# The stamp holds what the set-up depends on, and is written last: a set-up that was interrupted is done again.
setup() {
  local stamp
  stamp="$(cat pyproject.toml constraints.txt | cksum) $PWD"
  if [[ -x .venv/bin/python && "$(cat .venv/stamp 2>/dev/null)" == "$stamp" ]]; then
    return
  fi
  say "setting up .venv: a few minutes, once ..."
  if ! { [[ -x .venv/bin/python ]] && usable .venv/bin/python; }; then
    local python
    python="$(find_python "$@")"
    "$python" -m venv --clear .venv
  fi
  rm -f .venv/stamp
  : >.venv/setup.log
  install torch  # alone and first: constraints.txt pins the build without gigabytes of CUDA packages
  install -e '.[dev]'
  command -v node >/dev/null || install 'pyright[nodejs]'  # pyright runs on node; without one, a wheel brings it
  printf '%s' "$stamp" >.venv/stamp
}

# check NAME COMMAND...: one line if it passes, its output if it does not.
failed=()
check() {
  local name="$1" output
  shift
  if output="$("$@" 2>&1)"; then
    printf '%-24s ok\n' "$name"
  else
    printf '%-24s FAILED\n%s\n' "$name" "$output"
    failed+=("$name")
  fi
}

run_tests() {
  local python=.venv/bin/python markers=() cores
  [[ -z "${CI:-}" ]] || markers=(-m "not gpu and not network")  # CI takes the slow tests, too
  if [[ "${1:-}" == --all ]]; then
    markers=(-m "not gpu and not network")
    shift
  fi
  cores="$($python -c 'import os; print(min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8))')"
  export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"  # one thread for each of pytest's workers, or they fight for the cores
  if [[ $# -eq 0 ]]; then
    check "ruff check" "$python" -m ruff check .
    check "ruff format --check" "$python" -m ruff format --check .
    check "pyright" "$python" -m pyright --pythonpath "$python"
    check "lint-imports" .venv/bin/lint-imports
  fi
  "$python" -m pytest -q -n "$cores" --dist worksteal ${markers[@]+"${markers[@]}"} "$@" || failed+=(pytest)
  [[ ${#failed[@]} -eq 0 ]] || exit 1
}

job="${1:-}"
case "$job" in
  demo | palate | test | setup) shift ;;
  *)
    sed -n 's/^#   //p' "${BASH_SOURCE[0]##*/}" >&2
    exit 2
    ;;
esac
setup "$job"
case "$job" in
  demo) exec .venv/bin/python -m palate.cli demo "$@" ;;
  palate) exec .venv/bin/python -m palate.cli "$@" ;;
  test) run_tests "$@" ;;
esac
