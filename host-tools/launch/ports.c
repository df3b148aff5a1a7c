/* SPDX-License-Identifier: MIT */

#include "ports.h"

#include "cleanup.h"
#include "fd.h"
#include "log.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78 /* linux/in6.h, which doesn't get along with netinet/in.h */
#endif

struct held_port {
	struct config_port port;
	int fd; /* negative: there is no such interface now, so nobody can take it from us */
};

/* Whoever sends to the port before the packet filter is there finds nobody. */
static void drop_everything(int fd)
{
	static const int one = 1;
	struct sock_filter drop = { .code = BPF_RET | BPF_K, .k = 0 };
	struct sock_fprog program = { .len = 1, .filter = &drop };

	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &one, sizeof(one));
}

static int bind_port(int fd, const struct config_port *port, int family)
{
	struct sockaddr_in v4 = {
		.sin_family = AF_INET,
		.sin_port = htons(port->host),
		.sin_addr = port->address.v4,
	};
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port->host),
		.sin6_addr = port->address.family ? port->address.v6 : in6addr_any,
		.sin6_scope_id = port->interface[0] ? if_nametoindex(port->interface) : 0,
	};

	return family == AF_INET6 ? bind(fd, (struct sockaddr *)&v6, sizeof(v6))
				  : bind(fd, (struct sockaddr *)&v4, sizeof(v4));
}

/* A descriptor, -EBADF for none that could be held, or -errno. */
static int hold(const struct config_port *port)
{
	int family = port->address.family ? port->address.family : AF_INET6;
	int type = port->udp ? SOCK_DGRAM : SOCK_STREAM, only = port->address.family == AF_INET6;
	_cleanup_close_ int fd = socket(family, type | SOCK_CLOEXEC, 0);
	static const int one = 1;

	if (fd < 0 && errno == EAFNOSUPPORT && !port->address.family) {
		family = AF_INET; /* a host without IPv6 */
		fd = socket(family, type | SOCK_CLOEXEC, 0);
	}
	if (fd < 0)
		return -errno;
	if (port->interface[0] && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, port->interface,
					  (socklen_t)strlen(port->interface)) < 0)
		return errno == ENODEV ? -EBADF : -errno;
	/* an address may come later */
	if (family == AF_INET6) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	} else {
		(void)setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	}
	if (port->udp)
		drop_everything(fd);
	if (bind_port(fd, port, family) < 0)
		return errno == EINVAL ? -EBADF : -errno; /* link-local, on no interface */
	return TAKE_FD(fd);
}

static bool is_same(const struct config_port *a, const struct config_port *b)
{
	return a->udp == b->udp && a->host == b->host && a->address.family == b->address.family &&
	       strcmp(a->interface, b->interface) == 0 &&
	       memcmp(&a->address.v6, &b->address.v6, sizeof(a->address.v6)) == 0;
}

static void let_go_from(struct ports *ports, size_t n)
{
	while (ports->n > n)
		close_fdp(&ports->held[--ports->n].fd);
}

int ports_reserve(struct ports *ports, const char *name, const struct config_port *list, size_t n)
{
	struct held_port *bigger;
	size_t before = ports->n;

	if (n == 0)
		return 0;
	bigger = reallocarray(ports->held, before + n, sizeof(*bigger));
	if (!bigger)
		return log_errno(-ENOMEM, "cannot hold ports");
	ports->held = bigger;
	for (size_t i = 0; i < n; i++) {
		char text[CONFIG_PORT_TEXT_SIZE];
		size_t j = 0;
		int fd;

		while (j < before && !is_same(&ports->held[j].port, &list[i]))
			j++;
		if (j < before)
			continue;
		fd = hold(&list[i]);
		if (fd < 0 && fd != -EBADF) {
			let_go_from(ports, before);
			if (fd == -EADDRINUSE)
				return port_owner_log(&list[i], name);
			return log_errno(fd, "cannot take port %s for container '%s'",
				config_port_text(&list[i], text), name);
		}
		ports->held[ports->n++] = (struct held_port){ .port = list[i], .fd = fd };
	}
	return 0;
}

static int note(int dir_fd, const struct config_port *list, size_t n)
{
	_cleanup_close_ int fd = -EBADF;
	char text[CONFIG_PORT_TEXT_SIZE], line[CONFIG_PORT_TEXT_SIZE + 8];
	int r = 0;

	if (n == 0) {
		(void)unlinkat(dir_fd, PORTS_FILE, 0);
		return 0;
	}
	fd = openat(
		dir_fd, PORTS_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	for (size_t i = 0; fd >= 0 && r == 0 && i < n; i++) {
		int len = snprintf(line, sizeof(line), "%s:%u\n", config_port_text(&list[i], text),
			list[i].guest);

		r = fd_write_all(fd, line, (size_t)len);
	}
	return fd < 0 ? -errno : r;
}

void ports_settle(struct ports *ports, int dir_fd, const struct config_port *list, size_t n)
{
	size_t kept = 0;
	int r;

	for (size_t i = 0; i < ports->n; i++) {
		size_t j = 0;

		while (j < n && !is_same(&ports->held[i].port, &list[j]))
			j++;
		if (j < n)
			ports->held[kept++] = ports->held[i];
		else
			close_fdp(&ports->held[i].fd);
	}
	ports->n = kept;
	r = note(dir_fd, list, n);
	if (r < 0)
		log_errno(r, "cannot write the list of ports");
}

void ports_hand_over(
	struct ports *ports, struct hand_over *h, const struct config_port *list, size_t n)
{
	size_t count = hand_over_count(h, "ports", ports->n, n);

	if (h->reading)
		ports->held = calloc(count + 1, sizeof(*ports->held));
	if (h->reading && !ports->held)
		h->error = -ENOMEM;
	for (size_t i = 0; i < count && h->error == 0; i++) {
		size_t which = 0;

		while (!h->reading && which < n && !is_same(&ports->held[i].port, &list[which]))
			which++;
		which = hand_over_count(h, "port", which, n - 1);
		ports->held[i].port = list[which];
		ports->held[i].fd = hand_over_fd(h, "socket", ports->held[i].fd);
		ports->n = i + 1;
	}
}

void ports_release(struct ports *ports)
{
	let_go_from(ports, 0);
	free(TAKE_PTR(ports->held));
}
