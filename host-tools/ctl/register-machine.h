/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The launcher's helper: argv is "register-machine", the name, the leader's process id, the
 * machine's id (32 hex digits), its root. Registers the container with systemd-machined; where
 * there is none, that is no error. Logs. The exit status.
 */
int register_machine(int argc, char **argv);
