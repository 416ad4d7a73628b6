# Shared by the commands in hack/: where things are, what is said while they run, what must be installed.
# shellcheck shell=bash

# shellcheck disable=SC2034 # used by who sources this
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export NRI_OCI_HOOKS_CACHE="${NRI_OCI_HOOKS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nri-oci-hooks}"

# say TEXT: one line of progress, with the seconds since the command began.
say() {
    printf '[%4ds] %s\n' "$SECONDS" "$*"
}

# die TEXT: says what is wrong and what to do, and ends the command.
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# require_root: the runtimes under test and the files that root must own need root.
require_root() {
    [ "$(id -u)" -eq 0 ] || die "$(basename "$0") starts container runtimes: run it as root"
}

# install PACKAGE...: installs Debian packages.
install() {
    say "installing $* (apt-get; this can take a minute)"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" >/dev/null
}

# require_command COMMAND PACKAGE: installs the package unless this machine has the command.
require_command() {
    command -v "$1" >/dev/null || install "$2"
}

# require_runtimes ARGUMENT...: fetches Debian's runtimes, and builds those that --containerd and --oci-runtime name
# among the arguments and that are built (see hack/build-runtimes).
require_runtimes() {
    local name built=()
    "$ROOT/hack/fetch-runtimes"
    while [ $# -gt 1 ]; do
        case $1 in
            --containerd) name=containerd-$2 ;;
            --oci-runtime) name=$2 ;;
            *) name= ;;
        esac
        if [ "$name" ] && [ -e "$ROOT/tests/runtimes/$name/go.mod" ]; then
            built+=("$name")
        fi
        shift
    done
    [ ${#built[@]} -eq 0 ] || "$ROOT/hack/build-runtimes" "${built[@]}"
}

# require_rust: Rust is the one thing that a machine must bring; what it links with is installed if missing.
require_rust() {
    command -v cargo >/dev/null || die "cargo was not found: install Rust (https://rustup.rs), then run this again"
    require_command cc gcc
    [ -e /usr/include/stdio.h ] || install libc6-dev
}

# Some tools need a nightly Rust.
# shellcheck disable=SC2034 # used by who sources this
readonly NIGHTLY=nightly-2026-05-20

# require_nightly: rustup fetches it.
require_nightly() {
    command -v rustup >/dev/null || die "rustup was not found: install it (https://rustup.rs)"
    rustup --quiet toolchain install "$NIGHTLY" --profile minimal --no-self-update
}
