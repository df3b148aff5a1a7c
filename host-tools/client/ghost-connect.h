/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Connects sock (borrowed) to the socket file behind target (O_PATH, borrowed) as a process that is
 * dead when the listener first hears of it: the handle that the listener can get on whoever
 * connected (SO_PEERPIDFD) has no memory, descriptors or namespaces behind it, from its first
 * moment on. Blocks as connect(2) does (SO_SNDTIMEO). 0 or -errno; needs /proc.
 */
int ghost_connect(int sock, int target);
