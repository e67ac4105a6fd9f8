#!/usr/bin/env bash
# Builds artifacts/native/librlhf_torch.so, the bridge between src/Torch and libtorch.
# libtorch is taken from $LIBTORCH (an unpacked libtorch, 1.13 or newer, CPU or CUDA) or else from Debian's libtorch-dev.
# Does nothing when source, compiler and libtorch are those of the last build.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
out="${RLHF_NATIVE_OUT:-$root/artifacts/native}"
library="$out/librlhf_torch.so"
stamp="$out/librlhf_torch.stamp"
cxx="${CXX:-g++}"

if [[ -n "${LIBTORCH:-}" ]]; then
    include=("-I$LIBTORCH/include" "-I$LIBTORCH/include/torch/csrc/api/include")
    libdir="$LIBTORCH/lib"
    version="$(cat "$LIBTORCH/build-version" 2>/dev/null || sed -n 's/^#define TORCH_VERSION "\(.*\)"/\1/p' "$LIBTORCH/include/torch/csrc/api/include/torch/version.h")"
    # An unpacked libtorch says which C++ ABI it was built with; the bridge has to match.
    abi=1
    if [[ -f "$libdir/libc10.so" ]] && ! nm -DC "$libdir/libc10.so" 2>/dev/null | grep -q '__cxx11::basic_string'; then abi=0; fi
else
    include=("-I/usr/include/torch/csrc/api/include")
    libdir="$(dirname "$(ldconfig -p | sed -n 's/.*=> \(.*libtorch_cpu\.so\)$/\1/p' | head -n 1)")"
    if [[ ! -f /usr/include/torch/csrc/autograd/autograd.h || ! -f "$libdir/libtorch_cpu.so" ]]; then
        echo "torch bridge: no libtorch found: LIBTORCH is not set and Debian's libtorch-dev is not installed." >&2
        echo "Remedy: 'apt-get install libtorch-dev libopenblas0-pthread', or set LIBTORCH to an unpacked libtorch (1.13 or newer)." >&2
        exit 6
    fi
    version="$(dpkg-query -W -f '${Version}' libtorch-dev 2>/dev/null || echo debian)"
    abi=1
fi

libraries=(-ltorch -ltorch_cpu -lc10)
[[ -f "$libdir/libtorch_cuda.so" ]] && libraries=(-ltorch_cuda -lc10_cuda "${libraries[@]}")

key="$( { cat "$here/torch_bridge.cpp" "$here/build.sh"; echo "$libdir $version $abi ${CXXFLAGS:-}"; "$cxx" --version; } | sha256sum | cut -d' ' -f1)"
if [[ -f "$library" && -f "$stamp" && "$(cat "$stamp")" == "$key" ]]; then
    echo "torch bridge: up to date (libtorch $version)"
    exit 0
fi

mkdir -p "$out"
echo "torch bridge: compiling against libtorch $version in $libdir (about half a minute)"
# --no-as-needed: libtorch_cuda registers its operators when it is loaded and has no symbol that the bridge names.
"$cxx" -std=c++17 ${CXXFLAGS:--O2} -fPIC -shared -fvisibility=hidden -D_GLIBCXX_USE_CXX11_ABI="$abi" -Wno-deprecated-declarations \
    "${include[@]}" "$here/torch_bridge.cpp" -o "$library.partial" \
    -L"$libdir" -Wl,--no-as-needed "${libraries[@]}" -Wl,-rpath,"$libdir"
mv "$library.partial" "$library"
echo "$key" > "$stamp"
echo "torch bridge: $library"
