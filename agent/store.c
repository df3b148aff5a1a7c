/* SPDX-License-Identifier: MIT */
#include "store.h"

#include "cleanup.h"
#include "log.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

/*
 * Theory of operation
 *
 * A descriptor costs PID 1 the more time the more it keeps (0.1 to 0.2 ms at 200, 1 ms at 1,000, a
 * line of its log at debug each), so a session is one descriptor there, not eight: a slot is a pair
 * of datagram sockets, whose queue holds one message with the record and, as SCM_RIGHTS, all
 * descriptors of the session. systemd has the end that is read, and never reads it (FDPOLL=0: nor
 * does it look whether somebody is left at the other).
 *
 * A slot whose session has ended is emptied and used again, and a few empty ones are kept, so that
 * one short session after another costs two system calls and PID 1 nothing. An agent that takes a
 * slot over has only the end that is read: such a slot goes with its session.
 *
 * The message is peeked at, not taken, until the session ends: at every moment it is in the queue
 * or its session is over. What is in it stays open as long, too, so whoever wants something closed
 * for good (a terminal's master, to hang it up) has to release the slot first.
 */

#define FREE_MAX 32
#define PREFIX "session-"

static_assert(sizeof(struct store_record) == 136, "a record that earlier agents wrote");

static void notify(const struct store *store, const char *what, const struct store_slot *slot)
{
	char text[64 + STORE_NAME_SIZE];

	if (!store->systemd)
		return;
	(void)snprintf(text, sizeof(text), "%s\nFDNAME=%s", what, slot->name);
	(void)sd_pid_notify_with_fds(0, 0, text, &slot->out, strncmp(what, "FDSTORE=", 8) == 0);
}

static void slot_free(struct store_slot *slot)
{
	close_fdp(&slot->in);
	close_fdp(&slot->out);
	free(slot);
}

static struct store_slot *slot_new(struct store *store)
{
	struct store_slot *slot = calloc(1, sizeof(*slot));
	uint64_t id;
	int fds[2];

	if (!slot)
		return NULL;
	if (getrandom(&id, sizeof(id), GRND_INSECURE) < 0 ||
		socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) < 0) {
		free(slot);
		return NULL;
	}
	slot->in = fds[0];
	slot->out = fds[1];
	(void)snprintf(slot->name, sizeof(slot->name), PREFIX "%016" PRIx64, id);
	notify(store, "FDSTORE=1\nFDPOLL=0", slot);
	return slot;
}

static void slot_forget(struct store *store, struct store_slot *slot)
{
	notify(store, "FDSTOREREMOVE=1", slot);
	slot_free(slot);
}

void store_init(struct store *store)
{
	*store = (struct store){ .systemd = getenv("NOTIFY_SOCKET") };
}

static void slots_free(struct store_slots *slots)
{
	struct store_slot *slot;

	while ((slot = LIST_FIRST(slots))) {
		LIST_REMOVE(slot, entry);
		slot_free(slot);
	}
}

void store_done(struct store *store)
{
	slots_free(&store->free);
	slots_free(&store->used);
	*store = (struct store){};
}

static struct cmsghdr *control_header(struct store_message *m)
{
	return (struct cmsghdr *)(void *)m->control;
}

struct store_slot *store_prepare(
	struct store *store, const struct store_record *record, const int *fds, size_t n)
{
	struct store_slot *slot = LIST_FIRST(&store->free);
	struct store_message *m = &store->message;

	if (slot) {
		LIST_REMOVE(slot, entry);
		store->n_free--;
	} else {
		slot = slot_new(store);
		if (!slot)
			return NULL;
	}
	*m = (struct store_message){ .record = *record };
	m->iov = (struct iovec){ &m->record, sizeof(m->record) };
	m->header = (struct msghdr){
		.msg_iov = &m->iov,
		.msg_iovlen = 1,
		.msg_control = m->control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * n),
	};
	*control_header(m) = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int) * n),
	};
	memcpy(store_message_fds(store), fds, sizeof(int) * n);
	LIST_INSERT_HEAD(&store->used, slot, entry);
	return slot;
}

int *store_message_fds(struct store *store)
{
	return (int *)(void *)CMSG_DATA(control_header(&store->message));
}

struct spawn_first store_first(struct store *store, struct store_slot *slot)
{
	return (struct spawn_first){
		.fd = slot->in,
		.message = &store->message.header,
		.pid = &store->message.record.leader,
		.pidfd = store_message_fds(store) + 1,
	};
}

bool store_send(struct store *store, struct store_slot **slot)
{
	struct store_slot *s = *slot;

	if (sendmsg(s->in, &store->message.header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	*slot = NULL;
	LIST_REMOVE(s, entry);
	slot_forget(store, s);
	return false;
}

struct store_slot *store_keep(
	struct store *store, const struct store_record *record, const int *fds, size_t n)
{
	struct store_slot *slot = store_prepare(store, record, fds, n);

	if (slot)
		(void)store_send(store, &slot);
	return slot;
}

void store_release(struct store *store, struct store_slot **slot)
{
	struct store_slot *s = TAKE_PTR(*slot);
	char byte;

	if (!s)
		return;
	LIST_REMOVE(s, entry);
	/* without room for its descriptors, which the kernel closes */
	(void)recv(s->out, &byte, sizeof(byte), MSG_DONTWAIT);
	if (s->in < 0 || store->n_free >= FREE_MAX) {
		slot_forget(store, s);
		return;
	}
	LIST_INSERT_HEAD(&store->free, s, entry);
	store->n_free++;
}

bool store_is_slot(const char *name)
{
	return strncmp(name, PREFIX, strlen(PREFIX)) == 0 && strlen(name) < STORE_NAME_SIZE;
}

/* The length of the message, or -errno. */
static ssize_t peek(int fd, struct store_record *ret, int ret_fds[STORE_FDS_MAX], size_t *ret_n)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * STORE_FDS_MAX)];
	} control = {};
	struct iovec iov = { ret, sizeof(*ret) };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(sizeof(int) * STORE_FDS_MAX),
	};
	ssize_t n = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&message);

	*ret_n = 0;
	if (n < 0)
		return -errno;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		*ret_n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(ret_fds, CMSG_DATA(c), *ret_n * sizeof(int));
	}
	return n;
}

struct store_slot *store_take(struct store *store, int fd, const char *name,
	struct store_record *ret, int ret_fds[STORE_FDS_MAX], size_t *ret_n)
{
	struct store_slot *slot = calloc(1, sizeof(*slot));
	ssize_t n;

	*ret = (struct store_record){};
	*ret_n = 0;
	if (!slot) {
		(void)close(fd);
		return NULL;
	}
	slot->in = -EBADF;
	slot->out = fd;
	(void)snprintf(slot->name, sizeof(slot->name), "%s", name);
	n = peek(fd, ret, ret_fds, ret_n);
	if (n < 2) {
		if (n != -EAGAIN)
			log_warning("cannot read what an earlier agent kept: %s",
				n < 0 ? strerror((int)-n) : "it is empty");
		while (*ret_n > 0)
			(void)close(ret_fds[--*ret_n]);
		slot_forget(store, slot);
		return NULL;
	}
	if (ret->version != STORE_VERSION || n != (ssize_t)sizeof(*ret))
		*ret = (struct store_record){ .version = (uint8_t)~STORE_VERSION,
			.door = ret->door };
	LIST_INSERT_HEAD(&store->used, slot, entry);
	return slot;
}
