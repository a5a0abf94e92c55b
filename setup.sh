#!/bin/sh
# Installs what Reviewer needs and is not there yet; `make` calls it before every target. Run again, it finds
# everything in place and touches no network.
#
#   ./setup.sh          to run:   libraries of the window, uv, and the Python environment in .venv
#   ./setup.sh test     to test:  also a virtual screen and the DICOM tools that the tests take as second opinion
#
# Debian packages are installed as root or through sudo. Where neither is allowed, it says which are wanted and goes on.
set -eu
cd "$(dirname "$0")"

WINDOW="libgl1 libegl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libglib2.0-0
        libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxkbcommon-x11-0"
TEST="xvfb xauth xdotool dcmtk dicom3tools"
PYTHON=">=3.11,<3.14"   # uv takes the machine's own where it fits, else fetches one; 3.14 lacks wheels (pyjpegls)

say() { echo "setup: $*" >&2; }

# The packages among $@ that are not installed. Since 2024 some libraries carry the suffix t64 (64-bit time).
missing() {
    installed=" $(dpkg-query -W -f '${Package}:${db:Status-Status} ' $(for p; do echo "$p ${p}t64"; done) 2>/dev/null || true)"
    for p; do
        case $installed in *" $p:installed "* | *" ${p}t64:installed "*) ;; *) printf '%s ' "$p" ;; esac
    done
}

# "as_root COMMAND…": as root, or through sudo (which may ask for a password when somebody is there to type it).
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
}

may_install() {
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; }
}

# "debian WHAT-FOR PACKAGE…": installs the packages that are missing; 1 where some still are.
debian() {
    purpose=$1; shift
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        [ -e .venv ] || say "this is not Debian or Ubuntu; $purpose needs what Debian calls: $*"
        return 0
    fi
    wanted=$(missing "$@")
    [ -n "$wanted" ] || return 0
    install="apt-get install --yes --no-install-recommends ${wanted% }"
    if ! may_install; then
        say "$purpose needs Debian packages that may not be installed here (neither root nor sudo). Ask for:"
        say "    sudo $install"
        return 1
    fi
    say "$install"
    if as_root env DEBIAN_FRONTEND=noninteractive sh -c "apt-get update --quiet=2 && $install --quiet=2" >&2; then return 0; fi
    say "apt-get failed; $purpose still needs: sudo $install"
    return 1
}

debian "the window" $WINDOW || true
[ "${1:-}" != test ] || debian "a complete test run" $TEST || say "going on; tests that need them are skipped and say so"

# The Python environment is up to date when it was made from these very files.
made_from=$(cat uv.lock pyproject.toml | sha256sum)
if [ -x .venv/bin/python ] && [ "$made_from" = "$(cat .venv/made-from 2>/dev/null)" ]; then exit 0; fi

# Hospitals whose proxy opens TLS connections put its certificate into Debian's store; pip and uv bring stores of their own.
trust() {
    if [ -r /etc/ssl/certs/ca-certificates.crt ]; then
        export SSL_CERT_FILE="${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}"
        export PIP_CERT="${PIP_CERT:-$SSL_CERT_FILE}"
    fi
}

uv=$(command -v uv || true)
if [ -z "$uv" ] || ! "$uv" --version >/dev/null 2>&1; then uv=.tools/uv/bin/uv; fi
if [ ! -x "$uv" ] && [ "$uv" = .tools/uv/bin/uv ]; then
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null && ! debian "uv" python3-venv; then
        say "or install uv itself, then call this again"
        exit 1
    fi
    trust
    say "uv into .tools/uv"
    python3 -m venv .tools/uv
    .tools/uv/bin/pip install --quiet --disable-pip-version-check uv
fi

trust
say "the Python environment into .venv"
"$uv" sync --locked --quiet --python "$PYTHON" || {
    say "the environment could not be made. It needs a network, and Python $PYTHON on PATH or one that uv may fetch"
    exit 1
}
echo "$made_from" >.venv/made-from
