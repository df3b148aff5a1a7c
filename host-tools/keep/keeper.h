/* SPDX-License-Identifier: MIT */
#pragma once

/* One kept session while its program runs, and a while longer. */

#include "../kept.h"

struct keeper {
	struct kept_state state; /* id, user and since_usec are filled */
	int sock;		 /* to the agent, which has said that it runs */
	int master, slave;	 /* its terminal; the master doesn't block */
	int listening;		 /* where whoever attaches knocks */
	int launcher;		 /* pidfd; its end is ours */
	int client;		 /* who began it, and is attached from the beginning */
	struct kept_size size;	 /* of its terminal */
};

/*
 * Until the session is over and somebody has been told so, or the container has ended. Opens
 * nothing, connects to nobody. Owns and closes no descriptor but the clients'. -ENOMEM before
 * anything was done, else 0.
 */
int keeper_run(const struct keeper *keeper);
