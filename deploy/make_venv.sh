#!/bin/sh
# Makes .venv: Python 3.11, uv by its hash, everything of requirements.lock by its hash, ourselves editable.
# `deploy/make_venv.sh uv` stops after uv.
set -e
python=$(./deploy/tools.sh python)

# One that was moved or made by another Python is made anew.
if ! .venv/bin/python -c "import sys; sys.exit(sys.version_info[:2] != (3, 11) or sys.prefix != '$PWD/.venv')" 2>/dev/null; then
    echo "Making .venv with $python ..."
    rm -rf .venv
    "$python" -m venv .venv
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/uv.txt
[ "$1" != uv ] || exit 0

echo "Installing the packages of requirements.lock (some 3 GB, once; a minute or more) ..."
.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.lock
# With the setuptools of the lock: so it needs no network again when only pyproject.toml has changed.
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
touch .venv/.installed
