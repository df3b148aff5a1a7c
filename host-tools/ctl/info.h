/* SPDX-License-Identifier: MIT */
#pragma once

/* All that is known of a container without entering it: for list, status and show-ip. */

#include "../config/config.h"
#include "../kept.h"
#include "../launcher-status.h"
#include "bus.h"
#include "json.h"
#include "open-sessions.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>

#define INFO_UNKNOWN UINT64_MAX

struct container_info {
	const char *name; /* by reference */
	/*
	 * "running", "starting", "stopping", "stopped"; "failed": its last start or run failed;
	 * "restarting": it failed and systemd will start it again; "invalid": it doesn't run, and
	 * its configuration is wrong.
	 */
	const char *state;
	bool configured;    /* its file is there */
	bool config_usable; /* config is filled */
	struct container_config config;
	bool foreground;
	bool answered; /* launcher is filled; needs root */
	struct launcher_status launcher;
	uint64_t memory; /* bytes; INFO_UNKNOWN */
	uint64_t disk;	 /* bytes; INFO_UNKNOWN until info_measure() */
	bool sessions_known;
	struct session_record *sessions; /* open through its doors, the oldest first */
	size_t n_sessions;
	ssize_t n_kept; /* of shell --keep; negative: not known */
	struct kept_state kept[KEPT_MAX];
	/* IPv4, IPv6: as configured, else what it has given itself; "": none, or unknown */
	char addresses[2][INET6_ADDRSTRLEN];
};

/* What is asked once for all. */
struct info_source {
	struct unit_row *units;
	size_t n_units;
};

/* Asks systemd where there is one; no systemd is no error. Logs. 0 or -errno. */
int info_source_open(struct info_source *ret);
void info_source_close(struct info_source *source);

/* Never fails: what can't be found out stays unknown. Errors of configuration are logged. */
void info_collect(const struct info_source *source, const char *name, struct container_info *ret);
void info_done(struct container_info *info);

/* Finds out how much room the container's tree takes; gives up when that takes too long. */
void info_measure(struct container_info *info);

/* As an object of docs/json.md. */
void info_write_json(const struct container_info *info, struct json *json);

/* "3min 5s" since a moment of CLOCK_REALTIME. */
void info_format_age(uint64_t since_usec, char *buf, size_t size);

/* "12.3M" */
void info_format_bytes(uint64_t bytes, char *buf, size_t size);
