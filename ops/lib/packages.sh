# What building, testing and the demos need: Debian packages and sources of others; sourced by the commands in ops/.

build_packages=(libhiredis-dev libpq-dev librdkafka-dev)
server_packages=(redis-server postgresql-15 openssl python3)
alert_packages=(prometheus)  # the server and promtool
python_packages=(python3-pip)  # installs the client library that peers and clients' tests use

# again TIMES COMMAND...: runs it until it succeeds, so many times at most, with ten seconds in between.
again() {
    local left=$1 status=0
    shift
    while true; do
        status=0
        "$@" || status=$?
        if ((status == 0 || --left <= 0)); then return "$status"; fi
        sleep 10
    done
}

# fetch_sources [SCRATCH]: fetches the Swift packages that the manifest names, where there are none yet.
fetch_sources() {
    local scratch=${1:-.build}
    [[ -d $scratch/checkouts ]] || again 5 swift package --scratch-path "$scratch" resolve >&2
}

# ensure_packages NAME...: installs those that are missing, says which, asks for nothing.
ensure_packages() {
    local missing=()
    local name
    for name in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
    done
    ((${#missing[@]} == 0)) && return 0
    local as_root=()
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "missing Debian packages; as root run: apt-get install -y ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "installing ${missing[*]}" >&2
    # The demos start servers of their own: no cluster and no service need begin with the packages.
    "${as_root[@]}" mkdir -p /etc/postgresql-common
    if [[ ! -e /etc/postgresql-common/createcluster.conf ]]; then
        echo "create_main_cluster = false" | "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    local options=(-y -q --no-install-recommends)
    options+=(-o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
    # A network may hiccup: everything is tried again a few times.
    options+=(-o Acquire::Retries=5)
    again 5 "${as_root[@]}" apt-get update -q -o Acquire::Retries=5 >&2
    # Debian's own word for "start nothing": maintainer scripts ask it before they start a service.
    local policy=/usr/sbin/policy-rc.d
    [[ -e $policy ]] && policy=
    if [[ -n $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod +x "$policy"
    fi
    local status=0
    again 3 "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "${missing[@]}" >&2 ||
        status=$?
    [[ -z $policy ]] || "${as_root[@]}" rm -f "$policy"
    # Nor at the next boot, until somebody enables it.
    for name in "${missing[@]}"; do
        [[ ! -e /etc/init.d/$name ]] || "${as_root[@]}" update-rc.d "$name" disable >&2
    done
    return "$status"
}
