#!/bin/sh
# SPDX-License-Identifier: MIT
#
# localise.sh IN.a OUT.a DIR - make hidden symbols of a static library local
#
# In a static library "hidden" hides nothing: a program with a kn_load of its
# own would not link.  So all objects become one, and what is not exported in
# it becomes local.
set -eu
rm -rf "$3" "$2"
mkdir -p "$3"
${LD:-ld} -r --whole-archive "$1" -o "$3/kin.o"
${OBJCOPY:-objcopy} --localize-hidden "$3/kin.o"
${AR:-ar} rcs "$2" "$3/kin.o"
