# The environment that builds and programs run in. Sourced by ./rlhf.

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 DOTNET_GENERATE_ASPNET_CERTIFICATE=false
# The SDK wants a home; containers do not always have one that can be written.
if [[ ! -w "${HOME:-/nonexistent}" ]]; then
    export DOTNET_CLI_HOME="$root/artifacts/home" HOME="$root/artifacts/home"
    mkdir -p "$HOME"
fi

say() { echo "rlhf: $*" >&2; }

tcmalloc_library() {
    local library
    for library in /usr/lib/*/libtcmalloc_minimal.so.4 /usr/lib64/libtcmalloc_minimal.so.4; do
        [[ -f "$library" ]] && { echo "$library"; return; }
    done
    return 0
}

# Threads that wait must not spin: the trainer's and the rollout engine's pools share the cores.
# tcmalloc keeps freed tensors' pages; glibc gives large ones back and has the kernel clear them again at each step.
# Its caches per thread fill up to 32 MB over hundreds of iterations, each of which has threads of its own; less is as fast.
engine_environment() {
    export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"
    local library
    library="$(tcmalloc_library)"
    if [[ "${RLHF_TCMALLOC:-1}" != 0 && -n "$library" && ":${LD_PRELOAD:-}:" != *tcmalloc* ]]; then
        export LD_PRELOAD="$library${LD_PRELOAD:+:$LD_PRELOAD}" TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES="${TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES:-8388608}"
    fi
}
