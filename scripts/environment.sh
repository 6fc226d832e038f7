# Sourced by the other scripts: make a virtual environment and install the project into it.
# shellcheck shell=bash disable=SC2034

torch='torch==2.13.0'
typer='typer==0.28.0' # the oldest that works, and starts in 110 ms; 0.29 imports pydantic on every run, and takes 400

# find_python: print the first interpreter that is new enough.
find_python() {
  local candidate
  for candidate in "${PYTHON:-python3}" python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "weightkit needs Python 3.11 or newer; set PYTHON to one" >&2
  return 1
}

# environment FOLDER PACKAGE...: a virtual environment in FOLDER with these packages installed.
# An incomplete environment is made again; one that is up to date costs a second.
environment() {
  local folder=$1 wanted
  shift
  wanted="$* $(cat pyproject.toml)"
  if [[ ! -f "$folder/.weightkit" || "$(cat "$folder/.weightkit")" != "$wanted" ]]; then
    local python
    python=$(find_python) || return 1
    echo "making the environment $folder (a few minutes the first time)"
    rm -rf "$folder"
    "$python" -m venv "$folder" || return 1  # a caller may have switched `set -e` off
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" || return 1
    printf '%s\n' "$wanted" > "$folder/.weightkit"
  fi
}
