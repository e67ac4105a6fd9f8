# Set-up: Debian packages, npm packages, native bridge, NuGet packages, build. Each step is skipped, without starting a tool,
# when its inputs hash to what they were when it last succeeded. Sourced by ./rlhf.

engines="${RLHF_ENGINES:-system}"
stamps="$root/artifacts/setup"

setup_failed() {
    say "$*"
    exit 6
}

setup() {
    [[ "$(uname -s)-$(uname -m)" == Linux-x86_64 ]] || setup_failed "this build runs on Linux on x86-64; this machine is $(uname -s) on $(uname -m)."
    [[ "$engines" == system || "$engines" == nuget ]] || { say "RLHF_ENGINES is '$engines'; it must be 'system' or 'nuget'."; exit 2; }
    command -v dotnet > /dev/null || setup_failed "the .NET SDK 10 is not installed ('dotnet' is not on the PATH). See https://dotnet.microsoft.com/download/dotnet/10.0."
    mkdir -p "$stamps"
    # One set-up at a time. Build servers outlive their command and must not inherit the lock: every tool is started with 9>&-.
    exec 9> "$stamps/lock"
    if ! flock -n 9; then
        say "another ./rlhf is setting up; waiting for it"
        flock 9
    fi
    if [[ "$engines" == system ]]; then
        setup_debian
        setup_npm
        setup_bridge
    fi
    setup_build
    setup_wrappers
    exec 9>&-
}

# step NAME KEY: whether a step has to run. done_step NAME KEY: it has succeeded.
step() { [[ "$(cat "$stamps/$1" 2> /dev/null || true)" != "$2" ]]; }
done_step() { echo "$2" > "$stamps/$1"; }

hash_of() { sha256sum | cut -d' ' -f1; }

setup_debian() {
    local missing=() optional=()
    command -v "${CXX:-g++}" > /dev/null || missing+=(g++)
    if [[ -n "${LIBTORCH:-}" ]]; then
        [[ -f "$LIBTORCH/lib/libtorch_cpu.so" ]] || setup_failed "LIBTORCH is '$LIBTORCH', but $LIBTORCH/lib/libtorch_cpu.so does not exist; expected an unpacked libtorch, 1.13 or newer."
    else
        [[ -f /usr/include/torch/csrc/autograd/autograd.h ]] || missing+=(libtorch-dev)
        # Without it libtorch multiplies matrices with the reference BLAS, thirty times slower.
        compgen -G '/usr/lib/*/openblas-pthread/libblas.so.3' > /dev/null || missing+=(libopenblas0-pthread)
    fi
    [[ -n "$(tcmalloc_library)" ]] || optional+=(libtcmalloc-minimal4)
    local wanted=("${missing[@]}" "${optional[@]}")
    ((${#wanted[@]})) || return 0

    local admin=()
    if ! command -v apt-get > /dev/null; then
        admin=(false)
    elif ((EUID != 0)); then
        if sudo -n true 2> /dev/null; then admin=(sudo -n env); else admin=(false); fi
    else
        admin=(env)
    fi
    if [[ "${admin[0]}" == false ]]; then
        ((${#missing[@]})) || return 0
        setup_failed "these Debian packages are missing and cannot be installed without root: ${missing[*]}.
  Ask an administrator for:  apt-get install ${wanted[*]}
  Or unpack a libtorch (1.13 or newer) anywhere and set LIBTORCH to its folder; then only a C++ compiler (g++) is needed."
    fi
    say "installing Debian packages: ${wanted[*]}"
    local log="$stamps/apt.log"
    if ! { "${admin[@]}" DEBIAN_FRONTEND=noninteractive apt-get update -q &&
        "${admin[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${wanted[@]}"; } > "$log" 2>&1 9>&-; then
        tail -n 20 "$log" >&2
        ((${#missing[@]})) || { say "could not install ${optional[*]}; going on without it"; return 0; }
        setup_failed "apt-get could not install ${wanted[*]} (the whole output is in $log). Install them by hand, or set LIBTORCH to an unpacked libtorch."
    fi
}

# The installed packages are compared with the lock file, not with a stamp: node_modules may be shared or restored from a cache.
npm_is_complete() {
    [[ -f "$root/node_modules/.package-lock.json" ]] || return 1
    local name version found
    while read -r name version; do
        found="$(sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$root/node_modules/$name/package.json" 2> /dev/null | head -n 1)"
        [[ "$found" == "$version" ]] || return 1
    done < <(awk -F'"' '$2 ~ /^node_modules\// { name = substr($2, 14) } name != "" && $2 == "version" { print name, $4; name = "" }' "$root/package-lock.json")
}

setup_npm() {
    npm_is_complete && return 0
    command -v npm > /dev/null || setup_failed "npm is not installed; the engines ONNX Runtime, GenAI and DuckDB come as npm packages. Install Node.js 18 or newer."
    [[ ! -L "$root/node_modules" ]] || setup_failed "node_modules is a link and does not hold what package-lock.json names; run 'npm ci' where it points to."
    say "installing ONNX Runtime, GenAI and DuckDB from npm (npm ci; about 400 MB unpacked)"
    (cd "$root" && npm ci --no-progress --loglevel=error 9>&-) >&2 || setup_failed "'npm ci' failed; see above. The packages are named in package.json."
    npm_is_complete || setup_failed "'npm ci' succeeded, but node_modules does not hold what package-lock.json names."
}

setup_bridge() {
    local key
    key="$( { cat "$root/native/torch_bridge"/*; echo "${LIBTORCH:-debian} ${CXX:-g++} ${CXXFLAGS:-}"; ls -l --time-style=full-iso "${LIBTORCH:-/usr/include/torch}" 2> /dev/null; } | hash_of)"
    if ! step bridge "$key" && [[ -f "$root/artifacts/native/librlhf_torch.so" ]]; then return 0; fi
    say "building the bridge to libtorch"
    bash "$root/native/torch_bridge/build.sh" >&2 9>&- || setup_failed "the bridge to libtorch could not be built; see above."
    done_step bridge "$key"
}

# Names and contents of the files that a build reads; what it writes lies in bin, obj and artifacts.
source_hash() {
    (cd "$root" && find "$@" \( -name bin -o -name obj \) -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | hash_of)
}

setup_build() {
    local restore build options=(-p:RlhfEngines="$engines")
    restore="$(cd "$root" && { find src tests \( -name bin -o -name obj \) -prune -o \( -name '*.csproj' -o -name packages.lock.json \) -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; cat Directory.*.props global.json Rlhf.Onnx.sln; echo "$engines ${NUGET_PACKAGES:-}"; } | hash_of)"
    build="$(echo "$restore $(source_hash src tests .editorconfig BannedSymbols.txt package-lock.json native)" | hash_of)"
    step build "$build" || return 0
    # A build that fails or is interrupted must not look done.
    rm -f "$stamps/build"
    if step restore "$restore" || [[ ! -f "$root/src/Core/obj/project.assets.json" ]]; then
        say "restoring NuGet packages"
        # The lock files pin the default engines; the packages of the other route come from wherever the user's feeds have them.
        [[ "$engines" == system ]] && options+=(--locked-mode)
        (cd "$root" && dotnet restore Rlhf.Onnx.sln -v q --nologo -nodeReuse:false "${options[@]}" 9>&-) >&2 || setup_failed "'dotnet restore' failed; see above."
        done_step restore "$restore"
    fi
    say "building (Release; a minute or two the first time)"
    (cd "$root" && dotnet build Rlhf.Onnx.sln -c Release --no-restore -v q --nologo -clp:ErrorsOnly -nodeReuse:false -p:RlhfEngines="$engines" 9>&-) > "$stamps/build.log" 2>&1 || {
        grep -E 'error|warning' "$stamps/build.log" | sort -u | head -n 40 >&2
        setup_failed "the build failed; the whole output is in $stamps/build.log."
    }
    done_step build "$build"
}

setup_wrappers() {
    local stage
    mkdir -p "$root/artifacts/bin"
    for stage in generate score optimize; do
        [[ -x "$root/artifacts/bin/rlhf-$stage" ]] && continue
        printf '#!/usr/bin/env bash\nexec "$(dirname "${BASH_SOURCE[0]}")/../../rlhf" %s "$@"\n' "$stage" > "$root/artifacts/bin/rlhf-$stage"
        chmod +x "$root/artifacts/bin/rlhf-$stage"
    done
}
