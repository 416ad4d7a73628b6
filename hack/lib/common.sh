# Shared by the commands in hack/: where things are, what is said while they run, what must be installed.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export ROOT
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

# install_missing COMMAND=PACKAGE...: installs the packages of those commands that this machine lacks.
install_missing() {
    local pair wanted=()
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || wanted+=("${pair#*=}")
    done
    [ ${#wanted[@]} -gt 0 ] || return 0
    say "installing ${wanted[*]} (apt-get; this can take a minute)"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${wanted[@]}" >/dev/null
}

# require_rust: Rust is the one thing that a machine must bring; its linker is installed when it is missing.
require_rust() {
    command -v cargo >/dev/null || die "cargo was not found: install Rust (https://rustup.rs), then run this again"
    install_missing cc=gcc
    [ -e /usr/include/stdio.h ] || install_missing libc6-dev-is-missing=libc6-dev
}
