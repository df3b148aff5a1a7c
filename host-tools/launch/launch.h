/* SPDX-License-Identifier: MIT */
#pragma once

/* What the parts of the launcher share about one container. docs/architecture.md has the flow. */

#include "../config/config.h"
#include "cgroup.h"
#include "seccomp.h"
#include "state.h"
#include "uidrange.h"

#include <stdbool.h>
#include <sys/types.h>

/* Which program the guest's PID 1 is: it decides the signal that stops it and who says READY=1. */
enum init_kind {
	INIT_OTHER,
	INIT_SYSTEMD,
	INIT_BUSYBOX,
	INIT_COMMAND, /* Boot=no */
};

#define EXIT_OWN 125 /* for anything of the launcher's own */

/* Where the container finds its unit's credentials. */
#define CREDENTIALS_INSIDE "/run/host/credentials"

/* The container, from the launcher's start to its end; reboots stay inside. */
struct launch {
	struct container_config config;
	bool has_file;		 /* it was read from a file, */
	const char *config_file; /* this one; NULL: the usual one */
	bool foreground;	 /* stdio is the caller's, not the journal's */
	bool service;		 /* run by systemd, with a delegated cgroup */
	struct state state;
	struct uid_range range;
	struct cgroup cgroup;
	int notify_fd;	    /* from the guest's PID 1 */
	unsigned int boots; /* how often the guest has been built; more than 1: it has rebooted */
	char *system;	    /* what Path= leads to since the last boot; NULL: no Path= */
	const char *credentials; /* the unit's directory of them on the host; NULL: none */
	char *bundle;		 /* the directory that appears at /run/host/narthex; NULL: none */
	struct ports *ports;	 /* the host's that are forwarded to it */
	struct bridge_watch *bridges;  /* looks at config's bridges */
	struct address_follow *follow; /* looks after where config's ports lead */
	struct seccomp_program filter; /* with the changes of SystemCallFilter= */
	char **argv;		       /* for the next launcher in this process */
	bool traces; /* its network may be on the host beyond its end, whatever config says now */
};

/*
 * What builder and supervisor say to each other: tags of fd_send() on one socket pair, with as
 * many descriptors each as is said here. What the builder doesn't need at once the supervisor does
 * beside it.
 */
enum build_tag {
	/* from the builder */
	BUILD_LEADER = 'L',    /* 1: the leader's pidfd */
	BUILD_UNSHARED = 'U',  /* 0: of the leader itself: it has its other namespaces */
	BUILD_ROOT = 'R',      /* 1: the live root as a detached mount (ephemeral, first boot) */
	BUILD_BIND = 'B',      /* 0 or 1: the mount of the next bind, if it is a live one */
	BUILD_TERMINALS = 'T', /* 2: devpts, the console's master */
	BUILD_DONE = 'D',      /* 1: a pipe with one byte, the enum init_kind */
	/* from the supervisor */
	BUILD_DOORS = 'd',   /* 1: the doors' tmpfs as a detached mount */
	BUILD_NETWORK = 'n', /* 0: the leader's network is there */
};
