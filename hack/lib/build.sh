# Shared by the commands in hack/ that ship the program: how it is built for that.
# shellcheck shell=bash

# source_date: the moment that everything built from this checkout carries, in seconds since 1970: that of the commit.
source_date() {
    git -C "$ROOT" log -1 --format=%ct
}

# architecture: this machine's architecture as Debian and OCI images name it.
architecture() {
    case $(uname -m) in
        x86_64) echo amd64 ;;
        aarch64) echo arm64 ;;
        *) uname -m ;;
    esac
}

# version: the version of the workspace.
version() {
    sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' "$ROOT/Cargo.toml"
}

# build_static: builds nri-oci-hooks as it is shipped, one static file that runs on any node, and sets PROGRAM to it.
# The same sources with the same compiler give the same bytes, in any directory. cargo-auditable would put the list of
# crates into the program for 2 KB. It would end that, because the path of its wrapper of rustc gets into the bytes.
build_static() {
    local host target=${CARGO_TARGET_DIR:-$ROOT/target}
    host=$(host_target)
    local flags=(-C target-feature=+crt-static)
    flags+=("--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" "--remap-path-prefix=$ROOT=/source")
    flags+=("--remap-path-prefix=$(realpath -m "$target")=/target")
    say "building nri-oci-hooks as it is shipped (a minute or two)"
    (
        cd "$ROOT" || exit
        SOURCE_DATE_EPOCH=$(source_date)
        CARGO_ENCODED_RUSTFLAGS=$(printf '%s\x1f' "${flags[@]}" | sed 's/\x1f$//')
        export SOURCE_DATE_EPOCH CARGO_ENCODED_RUSTFLAGS
        cargo build --quiet --locked --release --target "$host" --package nri-oci-hooks --bin nri-oci-hooks
    )
    # shellcheck disable=SC2034 # used by who calls this
    PROGRAM=$(realpath -m "$target")/$host/release/nri-oci-hooks
}

# host_target: the name that Rust has for this machine.
host_target() {
    rustc -vV | sed -n 's/^host: //p'
}

# require_cargo_tool NAME VERSION: installs a subcommand of cargo (NAME is cargo-SOMETHING) into the cache unless it is
# there, and puts it on the PATH.
require_cargo_tool() {
    local name=$1 version=$2 tools=$NRI_OCI_HOOKS_CACHE/tools
    case :$PATH: in
        *:"$tools/bin":*) ;;
        *) PATH=$tools/bin:$PATH ;;
    esac
    mkdir -p "$tools"
    if ! grep -qsF "\"$name $version " "$tools/.crates2.json"; then
        say "installing $name $version (some minutes)"
        # It is built for longer than it runs.
        CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
            cargo install --quiet --locked --root "$tools" --version "$version" "$name"
    fi
}
