/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Port= without LocalAddress=: a narthex-network looks after where the ports lead for as long as
 * the guest runs (network.h, network_follow()).
 */

#include "../config/config.h"
#include "network-helper.h"

#include <event2/event.h>
#include <sys/types.h>

struct address_follow {
	struct event_base *base; /* borrowed, as config */
	const struct container_config *config;
	struct event *end;
	struct network_helper helper;
};

#define ADDRESS_FOLLOW_NULL ((struct address_follow){ .helper = NETWORK_HELPER_NULL })

/*
 * Begins, or begins anew, for the guest of that leader (in the host's PIDs), whose network is
 * there; leader 0: it has ended. A container whose ports lead to a fixed address, or that has none,
 * needs nothing. A container runs without this, too: failures are logged.
 */
void address_follow_start(struct address_follow *follow, struct event_base *base,
	const struct container_config *config, pid_t leader);

/* Ends it; ports go on leading where they do. Safe on the null state, which it leaves. */
void address_follow_stop(struct address_follow *follow);
