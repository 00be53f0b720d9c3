#!/bin/sh
# SPDX-License-Identifier: MIT
#
# setup.sh - install what is missing on this machine, and nothing else
#
#      sh tools/setup.sh build     what it takes to build kin
#      sh tools/setup.sh test      and what it takes to test it
#      sh tools/setup.sh nightly   and what it takes to fuzz it
#
# Each thing is looked for by what is needed of it: a command, a header, a
# library.  Where nothing is missing, no package manager is called.  What a
# distribution has no package of (-) is done without: its tests are skipped.
# Debian and Ubuntu are tried; the names for Fedora, Arch and Alpine are not.
set -eu

for_build='
cmd:gcc        gcc            gcc             gcc        gcc
inc:stdio.h    libc6-dev      glibc-devel     glibc      musl-dev linux-headers
cmd:meson      meson          meson           meson      meson
cmd:ninja      ninja-build    ninja-build     ninja      samurai
cmd:pkg-config pkg-config     pkgconfig       pkgconf    pkgconf
lib:msgpack    libmsgpack-dev msgpack-devel   msgpack-c  msgpack-c-dev
lib:liburing   liburing-dev   liburing-devel  liburing   liburing-dev
lib:check      check          check-devel     check      check-dev
lib:libsodium  libsodium-dev  libsodium-devel libsodium  libsodium-dev'

for_test='
cmd:g++        g++            gcc-c++         gcc        g++
cmd:clang      clang          clang           clang      clang
cmd:valgrind   valgrind       valgrind        valgrind   valgrind
cmd:nm         binutils       binutils        binutils   binutils
cmd:patch      patch          patch           patch      patch
cmd:git        git            git-core        git        git
cmd:spin       spin           -               -          -
run:asan       gcc            libasan         gcc        gcc
run:ubsan      gcc            libubsan        gcc        gcc
run:tsan       gcc            libtsan         gcc        gcc'

for_nightly='
fuzz:clang     libclang-rt-dev compiler-rt    compiler-rt compiler-rt'

fail() {
	echo "setup: $*" >&2
	exit 1
}

# Is it there?
has() {
	case $1 in
	cmd:*)
		command -v "${1#cmd:}"
		;;
	inc:*)
		gcc -E -include "${1#inc:}" -x c /dev/null
		;;
	lib:*)		# what was msgpack is msgpack-c in later releases
		pkg-config --exists "${1#lib:}" ||
			pkg-config --exists "${1#lib:}-c"
		;;
	fuzz:*)
		echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
			"${1#fuzz:}" -fsanitize=fuzzer -x c -o /dev/null -
		;;
	run:*)		# gcc answers with a path, if it has that library
		gcc -print-file-name="lib${1#run:}.so" | grep /
		;;
	esac >/dev/null 2>&1
}

# Set $missing to the packages that bring what is not there.
look() {
	missing=
	while read -r need debian fedora arch alpine; do
		if [ -z "$need" ] || has "$need" </dev/null; then
			continue
		fi
		case $family in
		dnf) package=$fedora ;;
		pacman) package=$arch ;;
		apk) package=$alpine ;;
		*) package=$debian ;;
		esac
		if [ "$package" != - ]; then
			missing="$missing $package"
		fi
	done <<END
$needs
END
	missing=${missing# }
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# shellcheck disable=SC2086 # $missing is several words
install_missing() {
	case $family in
	apt-get)
		as_root apt-get -q update ||
			echo "going on without the newest lists"
		# Debian 13 gave the C library of msgpack its own package.
		if apt-cache show libmsgpack-c-dev; then
			missing=$(echo "$missing" |
				sed 's/libmsgpack-dev/libmsgpack-c-dev/')
		fi
		as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
			install --no-install-recommends $missing
		;;
	dnf) as_root dnf -q -y install $missing ;;
	pacman) as_root pacman -S --noconfirm --needed $missing ;;
	apk) as_root apk add $missing ;;
	esac </dev/null >"$log" 2>&1
}

case ${1:-} in
build) needs=$for_build ;;
test) needs=$for_build$for_test ;;
nightly) needs=$for_build$for_test$for_nightly ;;
*) fail "say what for: sh tools/setup.sh build, test or nightly" ;;
esac

family=unknown
for manager in apt-get dnf pacman apk; do
	if command -v "$manager" >/dev/null 2>&1; then
		family=$manager
		break
	fi
done

look
if [ -z "$missing" ]; then
	exit 0
fi
if [ "$family" = unknown ]; then
	fail "no package manager that I know; install what Debian calls" \
		"$missing"
fi
if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
	fail "not root, and there is no sudo; as root, install by $family: $missing"
fi

untested=
if [ "$family" != apt-get ]; then
	untested=", which is untested,"
fi
echo "setup: installing by $family$untested $missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! install_missing; then
	tail -n 20 "$log" >&2
	fail "that failed; install by hand, and run this again: $missing"
fi
look
if [ -n "$missing" ]; then
	fail "installed, but not found afterwards; look after $missing"
fi
