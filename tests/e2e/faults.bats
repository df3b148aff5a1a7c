#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A system call of a start fails, or is the end of whoever makes it: nothing is left, and the next start works. Here some of
# them; `make faults` takes all.

load lib

setup_file() {
  [ -z "$san" ] || skip "most calls of a program with sanitizers are theirs, and they don't bear it when one fails"
  guest_tree faults busybox
}

teardown_file() {
  rm -rf --one-file-system "${containers:?}/faults"
}

# Other steps in the other flavour.
first() {
  [ "$flavour" = userns ] && echo 11 || echo 31
}

@test "a call of the launcher, the builder, the leader or narthex-network fails: the start does, too, or goes on" {
  "$BATS_TEST_DIRNAME/faults" P ENOMEM 67 "$(first)"
  "$BATS_TEST_DIRNAME/faults" H ENOMEM 199 "$(first)"
  "$BATS_TEST_DIRNAME/faults" C ENOMEM 53 "$(first)"
  "$BATS_TEST_DIRNAME/faults" N ENOMEM 127 "$(first)"
}

@test "the launcher, the builder, the leader or narthex-network is killed at a call: nothing is left" {
  "$BATS_TEST_DIRNAME/faults" P kill 149 "$(first)"
  "$BATS_TEST_DIRNAME/faults" H kill 199 "$(first)"
  "$BATS_TEST_DIRNAME/faults" C kill 53 "$(first)"
  "$BATS_TEST_DIRNAME/faults" N kill 127 "$(first)"
}
