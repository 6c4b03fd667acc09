# Sourced by the commands for operators in ops/.

# Sets $program: regionsync from $REGIONSYNC, from .build/release, or from the PATH.
find_regionsync() {
    program=${REGIONSYNC:-$(dirname "$0")/../.build/release/regionsync}
    [[ -x $program ]] && return
    program=regionsync
    command -v "$program" >/dev/null && return
    echo "$0: there is no regionsync; build it, or say in REGIONSYNC where it is" >&2
    exit 3
}

# take_files ARGUMENT...: sets $files to the arguments before the first option, $options to the rest, and $regions to
# the files as regionsync takes them.
take_files() {
    files=() regions=() options=()
    while (($# > 0)) && [[ $1 != -* ]]; do
        files+=("$1")
        regions+=(--region "$1")
        shift
    done
    options=("$@")
}
