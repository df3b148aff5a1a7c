/* SPDX-License-Identifier: MIT */

/*
 * The kernel tells of every interface of the host that comes, goes or changes, and with a hundred
 * containers that is a lot of news for a hundred launchers. So the socket has a filter, and the
 * kernel keeps what isn't about us: only a deleted bridge of ours, or one of its name whose index
 * isn't the one we know, wakes the launcher. What exactly has happened is then asked, not read.
 */

#include "bridge-watch.h"

#include "cleanup.h"
#include "helper.h"
#include "log.h"
#include "network-helper.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

/* The kernel makes some 600 bytes of a bridge's part, needs the old filter's memory as well while
 * it takes a new one, and has 20 KiB in all before Linux 6.9 (net.core.optmem_max). */
#define BRIDGES_MAX 16
#define WORDS(name) ((strlen(name) + 1 + 3) / 4) /* of a name with its NUL, padded with NULs */
#define BRIDGE_INSTRUCTIONS (2 * IFNAMSIZ / 4 + 5)
#define OTHER_INSTRUCTIONS 9

/* Where things are in a message about an interface. */
#define TYPE_AT offsetof(struct nlmsghdr, nlmsg_type)
#define INDEX_AT (NLMSG_HDRLEN + offsetof(struct ifinfomsg, ifi_index))
#define ATTRIBUTES_AT (NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct ifinfomsg)))

/* --- the filter: bpf(4), with the kernel's SKF_AD_NLATTR, which finds an attribute ------------ */

struct program {
	struct sock_filter *code;
	size_t n;
};

static void emit(struct program *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	p->code[p->n++] = (struct sock_filter){ code, jt, jf, k };
}

/* A loads are in network order, and so is what they are compared with. X: where the name's
 * attribute is. Each step that doesn't fit jumps behind this bridge's part. */
static void emit_bridge(struct program *p, const struct watched_bridge *bridge)
{
	uint32_t words[IFNAMSIZ / 4] = {};
	size_t n = WORDS(bridge->name), left = 2 * n + 5;

	memcpy(words, bridge->name, strlen(bridge->name));
	for (size_t i = 0; i < n; i++) {
		emit(p, BPF_LD | BPF_W | BPF_IND, 0, 0,
			(uint32_t)(NLA_HDRLEN + i * sizeof(words[0])));
		left -= 2;
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, (uint8_t)left, ntohl(words[i]));
	}
	emit(p, BPF_LD | BPF_H | BPF_ABS, 0, 0, TYPE_AT);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, ntohs(RTM_DELLINK));
	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, INDEX_AT);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ntohl((uint32_t)bridge->index));
	emit(p, BPF_RET | BPF_K, 0, 0, UINT32_MAX);
}

static int set_filter(const struct bridge_watch *watch)
{
	_cleanup_free_ struct sock_filter *code =
		calloc(watch->n * BRIDGE_INSTRUCTIONS + OTHER_INSTRUCTIONS, sizeof(*code));
	struct program p = { .code = code };
	struct sock_fprog filter = { .filter = code };

	if (!code)
		return -ENOMEM;
	emit(&p, BPF_LD | BPF_H | BPF_ABS, 0, 0, TYPE_AT);
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, ntohs(RTM_NEWLINK));
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ntohs(RTM_DELLINK));
	emit(&p, BPF_RET | BPF_K, 0, 0, 0);
	emit(&p, BPF_LD | BPF_IMM, 0, 0, ATTRIBUTES_AT);
	emit(&p, BPF_LDX | BPF_IMM, 0, 0, IFLA_IFNAME);
	emit(&p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR));
	emit(&p, BPF_MISC | BPF_TAX, 0, 0, 0);
	for (size_t i = 0; i < watch->n; i++)
		emit_bridge(&p, &watch->bridges[i]);
	emit(&p, BPF_RET | BPF_K, 0, 0, 0);
	filter.len = (unsigned short)p.n;
	return setsockopt(watch->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0
		       ? -errno
		       : 0;
}

/* --- bridges ---------------------------------------------------------------------------------- */

/* What is there now: any socket takes the interface ioctls. */
static void look(struct bridge_watch *watch)
{
	for (size_t i = 0; i < watch->n; i++) {
		struct ifreq request = {};

		memcpy(request.ifr_name, watch->bridges[i].name, IFNAMSIZ);
		watch->bridges[i].index =
			ioctl(watch->fd, SIOCGIFINDEX, &request) < 0 ? 0 : request.ifr_ifindex;
	}
}

static void add(struct bridge_watch *watch, const char *name)
{
	for (size_t i = 0; i < watch->n; i++)
		if (strcmp(watch->bridges[i].name, name) == 0)
			return;
	if (*name && watch->n == BRIDGES_MAX)
		log_warning("bridge %s isn't watched, only %d others are: if it is made anew, "
			    "restart the container",
			name, BRIDGES_MAX);
	else if (*name)
		memcpy(watch->bridges[watch->n++].name, name, IFNAMSIZ);
}

/* A zone's bridge isn't the administrator's to restart. */
static int take_names(struct bridge_watch *watch)
{
	const struct container_config *config = watch->config;

	free(watch->bridges);
	watch->n = 0;
	watch->bridges = calloc(config->n_links + 1, sizeof(*watch->bridges));
	if (!watch->bridges)
		return -ENOMEM;
	add(watch, config->bridge);
	for (size_t i = 0; i < config->n_links; i++)
		add(watch, config->links[i].bridge);
	return 0;
}

/* --- news ------------------------------------------------------------------------------------- */

static void attach(struct bridge_watch *watch);

static void on_end(int fd, short what, void *arg)
{
	struct bridge_watch *watch = arg;

	(void)fd;
	(void)what;
	event_free(TAKE_PTR(watch->end));
	(void)helper_reap(TAKE_FD(watch->helper_fd)); /* it has said what is wrong */
	if (watch->again)
		attach(watch);
}

static void attach(struct bridge_watch *watch)
{
	int r;

	watch->again = watch->helper_fd >= 0;
	if (watch->again)
		return;
	/* from here on another index than this one is news */
	look(watch);
	r = set_filter(watch);
	if (r < 0)
		log_warning("cannot watch the host's bridges: %s", strerror(-r));
	watch->helper_fd = network_helper_attach(watch->config);
	if (watch->helper_fd < 0)
		return;
	watch->end = event_new(watch->base, watch->helper_fd, EV_READ, on_end, watch);
	if (!watch->end || event_add(watch->end, NULL) < 0)
		(void)helper_reap(TAKE_FD(watch->helper_fd));
}

static void on_message(int fd, short what, void *arg)
{
	char message[64];

	(void)what;
	/* what it says would have to be looked up anyway; one that was dropped says the same */
	while (recv(fd, message, sizeof(message), MSG_DONTWAIT) >= 0 || errno == ENOBUFS ||
		errno == EINTR)
		;
	attach(arg);
}

static int open_socket(struct bridge_watch *watch)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int r;

	watch->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (watch->fd < 0)
		return -errno;
	r = set_filter(watch);
	if (r >= 0 && bind(watch->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		r = -errno;
	/* bound first, so that nothing happens between the look and the first message */
	look(watch);
	return r < 0 ? r : set_filter(watch);
}

void bridge_watch_start(
	struct bridge_watch *watch, struct event_base *base, const struct container_config *config)
{
	int r;

	bridge_watch_stop(watch);
	watch->base = base;
	watch->config = config;
	r = take_names(watch);
	if (r >= 0 && watch->n > 0)
		r = open_socket(watch);
	if (r >= 0 && watch->n > 0) {
		watch->message =
			event_new(base, watch->fd, EV_READ | EV_PERSIST, on_message, watch);
		if (!watch->message || event_add(watch->message, NULL) < 0)
			r = -ENOMEM;
	}
	if (r < 0)
		log_warning("cannot watch the host's bridges: %s", strerror(-r));
	if (r < 0 || watch->n == 0)
		bridge_watch_stop(watch);
}

void bridge_watch_attach(struct bridge_watch *watch)
{
	if (watch->n > 0)
		attach(watch);
}

void bridge_watch_stop(struct bridge_watch *watch)
{
	if (watch->message)
		event_free(watch->message);
	if (watch->end)
		event_free(watch->end);
	if (watch->helper_fd >= 0) {
		(void)pidfd_send_signal(watch->helper_fd, SIGKILL, NULL, 0);
		(void)helper_reap(TAKE_FD(watch->helper_fd));
	}
	close_fdp(&watch->fd);
	free(watch->bridges);
	*watch = BRIDGE_WATCH_NULL;
}
