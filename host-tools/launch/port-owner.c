/* SPDX-License-Identifier: MIT */

/*
 * Whose a port of the host is. Containers say so in their directories; a program's socket is
 * looked for in /proc: which socket has the port (/proc/net), which process has the socket. All of
 * it only after the port could not be had.
 */

#include "cleanup.h"
#include "escape.h"
#include "fd.h"
#include "log.h"
#include "ports.h"
#include "state.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define TCP_LISTEN_STATE 0x0a
#define LISTS_MAX (1 << 20)

/* Whether one of a container's ports is this one, or overlaps it. */
static bool list_has(const char *name, char *lines, const struct config_port *port)
{
	struct container_config config = {};
	bool found = false;

	if (config_default(name, &config) < 0)
		return false;
	for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n"))
		(void)config_set(&config, RUN_DIR, "Network", "Port", line);
	for (size_t i = 0; i < config.n_ports; i++)
		found = found || config_ports_meet(&config.ports[i], port);
	config_done(&config);
	return found;
}

/* The container that has it, or false. */
static bool find_container(const struct config_port *port, char name[NAME_MAX + 1])
{
	_cleanup_closedir_ DIR *dir = opendir(RUN_DIR);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *lines = NULL;
		char path[NAME_MAX + sizeof("/" PORTS_FILE)];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/" PORTS_FILE, entry->d_name);
		if (file_read_all(dirfd(dir), path, O_NOFOLLOW, LISTS_MAX, &lines) <= 0 ||
			!list_has(entry->d_name, lines, port))
			continue;
		(void)snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
		return true;
	}
	return false;
}

/* The inode of a socket that has the port, as a list of /proc/net has it; 0 for none. */
static unsigned long find_socket(const char *list, const struct config_port *port)
{
	_cleanup_fclose_ FILE *f = fopen(list, "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		unsigned int number = 0, state = 0;
		unsigned long inode = 0;

		/* proc_net_tcp(5): sl, local address, remote, state, queues, timer, retransmits,
		 * uid, timeout, inode */
		if (sscanf(line, "%*d: %*32[0-9A-F]:%x %*s %x %*s %*s %*s %*u %*u %lu", &number,
			    &state, &inode) == 3 &&
			number == port->host && (port->udp || state == TCP_LISTEN_STATE))
			return inode;
	}
	return 0;
}

static bool has_socket(const char *pid, unsigned long inode)
{
	char path[NAME_MAX + 16], wanted[32], target[64];
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;

	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	(void)snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (n < 0)
			continue;
		target[n] = '\0';
		if (strcmp(target, wanted) == 0)
			return true;
	}
	return false;
}

/* "nginx (pid 123)" of who has the socket; systemd has many for others, so it comes last. */
static bool find_process(unsigned long inode, char who[64])
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	struct dirent *entry;
	bool found = false;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *comm = NULL;
		char path[NAME_MAX + 16], shown[40];

		if (!isdigit((unsigned char)entry->d_name[0]) || !has_socket(entry->d_name, inode))
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (file_read_all(AT_FDCWD, path, 0, 64, &comm) <= 0)
			continue;
		escape_text(shown, sizeof(shown), comm, strcspn(comm, "\n"));
		(void)snprintf(who, 64, "%s (pid %.10s)", shown, entry->d_name);
		found = true;
		if (strcmp(entry->d_name, "1") != 0)
			break;
	}
	return found;
}

int port_owner_log(const struct config_port *port, const char *name)
{
	static const char *const lists[2][2] = {
		{ "/proc/self/net/tcp", "/proc/self/net/tcp6" },
		{ "/proc/self/net/udp", "/proc/self/net/udp6" },
	};
	char text[CONFIG_PORT_TEXT_SIZE], owner[NAME_MAX + 1], who[64];
	unsigned long inode = 0;

	(void)config_port_text(port, text);
	if (find_container(port, owner)) {
		log_error(
			"port %s of container '%s' is taken by container '%s'", text, name, owner);
		return -EADDRINUSE;
	}
	for (size_t i = 0; inode == 0 && i < 2; i++)
		inode = find_socket(lists[port->udp][i], port);
	if (inode > 0 && find_process(inode, who))
		log_error("port %s of container '%s' is taken on the host by %s", text, name, who);
	else
		log_error("port %s of container '%s' is taken on the host", text, name);
	return -EADDRINUSE;
}
