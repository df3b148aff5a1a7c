/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files of the supervisor, supervise*.c, share: its state, and what they call of each
 * other. Everything runs in its one loop. */

#include "address-follow.h"
#include "bridge-watch.h"
#include "console.h"
#include "control.h"
#include "hand-over.h"
#include "launch.h"
#include "live-binds.h"
#include "machined.h"
#include "network-helper.h"
#include "ports.h"
#include "reload.h"
#include "resolv.h"
#include "upgrade.h"

#include <event2/event.h>
#include <signal.h>

enum phase { BUILDING, STARTING, RUNNING, STOPPING, ENDED };

struct supervisor {
	struct launch *launch;
	struct event_base *base;
	enum phase phase;
	enum init_kind init;
	uint64_t since_usec; /* CLOCK_REALTIME of the last boot */
	bool ready;	     /* this guest's PID 1 has said READY=1 */
	bool announced;	     /* systemd has our READY=1 */
	bool unshared;	     /* the leader has its network namespace */
	bool failed;	     /* the guest could not be built or executed */
	bool heard;	     /* the leader has said why */
	bool stop_wanted;
	bool killed; /* the deadline has passed, or a second request came */

	int builder_fd, build_socket, error_fd;
	int leader_fd, devpts_fd, console_master;
	pid_t leader;
	struct console console;
	struct control control;
	struct machined machined;
	struct network_helper network;
	struct bridge_watch bridges;
	struct address_follow follow;
	struct resolv_watch resolv;
	struct ports ports;
	struct reload reload;
	struct upgrade upgrade;
	struct live_binds live_binds; /* of this guest */
	size_t n_binds_told;	      /* of which the builder has told */
	struct event *builder_event, *socket_event, *error_event, *leader_event, *notify_event,
		*network_event, *deadline, *ask;
	struct event *signals[5];
};

/* --- supervise.c ----------------------------------------------------------------------------- */

/* Calls back when fd, borrowed, can be read. Logs. */
int supervise_watch(struct supervisor *s, struct event **event, int fd, event_callback_fn callback);
void supervise_free_event(struct event **event);

/* Waits for a child's end. Logs; when nobody can say how it was, the guest has failed. */
void supervise_reap(struct supervisor *s, int pidfd, siginfo_t *ret_info);

/* The init runs. A systemd says itself when it is ready; of others nobody knows better. */
void supervise_executed(struct supervisor *s);

/* Goes on with a guest of another launcher's. Logs. 0 or -errno. */
int supervise_resume(struct supervisor *s);

/* --- supervise-build.c ----------------------------------------------------------------------- */

/* Starts the builder, and the network's helper where there is something to do for it; both are
 * heard until they end. Logs; what it has started, the end of the guest ends. */
int supervise_start_builder(struct supervisor *s);

/* What the leader of a guest that has failed had to say, and nobody has heard yet. */
void supervise_hear_last_words(struct supervisor *s);

/* Hears of the leader's end. Logs. */
int supervise_watch_leader(struct supervisor *s);

/* The builder's mount namespace is older than the doors: it gets them as a descriptor. Logs. */
int supervise_send_doors(struct supervisor *s);

/* --- supervise-stop.c ------------------------------------------------------------------------ */

/* Makes the loop hear of signals and of time that is up. Logs. */
int supervise_prepare_stop(struct supervisor *s);
void supervise_forget_stop(struct supervisor *s);

/* Asks the guest to end, and sees to it that it does. Before the init is executed nobody could
 * hear it, and nothing happens. */
void supervise_stop(struct supervisor *s);

/* --- supervise-answers.c --------------------------------------------------------------------- */

/* Gives the control socket its answers. */
void supervise_set_answers(struct supervisor *s);

/* --- supervise-hand-over.c ------------------------------------------------------------------- */

/* All that the next launcher has to know of a guest that runs, there and back. */
void supervise_hand_over(struct supervisor *s, struct hand_over *h);

/* --- supervise-upgrade.c --------------------------------------------------------------------- */

/* Executes the launcher path in the place of this one, when it has shown that it can go on. Answers
 * on client (consumed). */
void supervise_upgrade(struct supervisor *s, const char *path, bool dry_run, int client);

/* The guest has ended. */
void supervise_abort_upgrade(struct supervisor *s);

/* In the new launcher: reads what the old one has left, and ends there for check; then, with a
 * loop, goes on. Log. 0 or -errno. */
int supervise_take_over(struct supervisor *s, int fd, bool check);
int supervise_go_on(struct supervisor *s);
