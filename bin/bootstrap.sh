# Sourced by bin/demo and bin/test: find Python, make .venv, install what is pinned, once.
#
# CARILLON_PYTHON names the Python to use, CARILLON_VENV another place for the virtual environment.

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

# 3.14 comes last: the Valkey wheel is not built for it yet, so pip would need a C compiler there.
find_python() {
    local candidate
    for candidate in ${CARILLON_PYTHON:-python3.13 python3.12 python3.11 python3.14 python3 python}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "Carillon needs Python 3.11 or newer and found none: install it (Debian, Ubuntu: apt install python3 python3-venv) or set CARILLON_PYTHON to one"
}

make_venv() {
    local python
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python has no venv module: install it (Debian, Ubuntu: apt install python3-venv) and run this again"
    [[ ! -e $venv || -e $venv/pyvenv.cfg ]] ||
        fail "$venv is there but is no virtual environment: move it away, or set CARILLON_VENV to another place"
    echo "Making a virtual environment in $venv" >&2
    "$python" -m venv --clear "$venv" || fail "$python could not make $venv: see the lines above"
}

install_requirements() { # requirements file
    echo "Installing the pinned requirements (the first time takes a minute or two)" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$1" ||
        fail "pip could not install $1: see its lines above, mend what they name, and run this again"
}

bootstrap() { # requirements file
    local wanted digest='import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    venv=${CARILLON_VENV:-$PWD/.venv}
    # Missing, half made, too old, or its Python is gone.
    "$venv/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || make_venv
    wanted=$(cat requirements*.txt | "$venv/bin/python" -c "$digest")
    if [[ $(cat "$venv/.$1" 2>/dev/null) != "$wanted" ]]; then
        install_requirements "$1"
        echo "$wanted" >"$venv/.$1"
    fi
    export PATH="$venv/bin:$PATH"
}
