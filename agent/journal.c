/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include "cleanup.h"
#include "escape.h"
#include "leader.h"
#include "log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/*
 * journald's native protocol: a datagram of "FIELD=value" lines. sd_journal_sendv() speaks it too,
 * but on a blocking socket: with a journald that hangs (or is being restarted) and a few hundred
 * entries queued, the one loop that serves every session would stand still.
 */

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define TEXT_MAX 2048

struct text {
	char data[TEXT_MAX];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	size_t left = sizeof(text->data) - text->len;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text->data + text->len, left, format, ap);
	va_end(ap);
	/* a field that doesn't fit is left out whole: half a field would join the next */
	if (n > 0 && (size_t)n < left)
		text->len += (size_t)n;
}

int journal_open(struct journal *journal)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
	_cleanup_close_ int fd = -EBADF;

	journal->fd = -EBADF;
	if (access(JOURNAL_SOCKET, W_OK) < 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == ECONNREFUSED ? 0 : -errno;
	journal->fd = TAKE_FD(fd);
	return 0;
}

/* What every entry has. message: what people read, without a newline. */
static void add_common(struct text *text, const struct journal_session *session,
	const char *message_id, const char *message)
{
	char program[256];

	(void)escape_text(program, sizeof(program), session->program, strlen(session->program));
	add(text, "MESSAGE=%s\n", message);
	add(text, "MESSAGE_ID=%s\nPRIORITY=6\nSYSLOG_IDENTIFIER=narthex-agent\n", message_id);
	add(text, "NARTHEX_DOOR=%s\n", session->door->name);
	add(text, "NARTHEX_SESSION=%016" PRIx64 "\n", session->id);
	add(text, "NARTHEX_PEER_UID=%u\n", (unsigned int)session->peer_uid);
	add(text, "NARTHEX_PEER_PID=%d\n", (int)session->peer_pid);
	add(text, "NARTHEX_LEADER=%d\n", (int)session->leader);
	add(text, "NARTHEX_PROGRAM=%s\n", program);
}

/* False: it can't be sent now. */
static bool try_to_send(struct journal *journal, const char *data, size_t len)
{
	/* journald may have been started, or started anew, since */
	for (int attempt = 0; attempt < 2; attempt++) {
		if (journal->fd >= 0 && send(journal->fd, data, len, MSG_NOSIGNAL) >= 0)
			return true;
		if (journal->fd >= 0 && errno != ECONNREFUSED && errno != ENOTCONN &&
			errno != ECONNRESET)
			break;
		close_fdp(&journal->fd);
		if (journal_open(journal) < 0)
			break;
	}
	return false;
}

/* To the journal, or to stderr. */
static void send_entry(struct journal *journal, const char *data, size_t len)
{
	if (try_to_send(journal, data, len))
		return;
	journal->lost++;
	data += strlen("MESSAGE="); /* the first field */
	log_info("%.*s", (int)strcspn(data, "\n"), data);
}

void journal_session_opened(struct journal *journal, const struct journal_session *session)
{
	struct text text = {};
	char message[512];

	(void)snprintf(message, sizeof(message),
		"session %016" PRIx64 " opened at door %s by uid %u, pid %d: %s", session->id,
		session->door->name, (unsigned int)session->peer_uid, (int)session->peer_pid,
		session->program);
	add_common(&text, session, JOURNAL_SESSION_OPENED, message);
	send_entry(journal, text.data, text.len);
}

static void write_closed(struct text *text, const struct journal_session *session)
{
	bool known = session->status != LEADER_STATUS_UNKNOWN;
	bool signaled = known && WIFSIGNALED(session->status);
	int number = signaled ? WTERMSIG(session->status) : WEXITSTATUS(session->status);
	char how[64] = "ended, and nobody can tell how", message[512];

	if (known)
		(void)snprintf(how, sizeof(how), "%s %d",
			signaled ? "was killed by signal" : "exited with status", number);
	(void)snprintf(message, sizeof(message),
		"session %016" PRIx64 " closed at door %s after %" PRIu64 ".%03u s: %s %s",
		session->id, session->door->name, session->duration_usec / 1000000,
		(unsigned int)(session->duration_usec / 1000 % 1000), session->program, how);
	add_common(text, session, JOURNAL_SESSION_CLOSED, message);
	if (known)
		add(text, "%s=%d\n", signaled ? "NARTHEX_SIGNAL" : "NARTHEX_EXIT_CODE", number);
	add(text, "NARTHEX_DURATION_USEC=%" PRIu64 "\n", session->duration_usec);
}

void journal_session_closed(struct journal *journal, const struct journal_session *session)
{
	struct text text = {};

	write_closed(&text, session);
	send_entry(journal, text.data, text.len);
}

/* An entry of what is to be sent later, behind its length. */
static const char *later_entry(const struct journal *journal, size_t at, size_t *ret_len)
{
	uint16_t len;

	memcpy(&len, journal->later + at, sizeof(len));
	*ret_len = len;
	return journal->later + at + sizeof(len);
}

void journal_session_closed_later(struct journal *journal, const struct journal_session *session)
{
	struct text text = {};
	uint16_t len;

	write_closed(&text, session);
	len = (uint16_t)text.len;
	if (journal->later_len + sizeof(len) + len > sizeof(journal->later)) {
		send_entry(journal, text.data, text.len);
		return;
	}
	memcpy(journal->later + journal->later_len, &len, sizeof(len));
	memcpy(journal->later + journal->later_len + sizeof(len), text.data, len);
	journal->later_len += sizeof(len) + len;
}

bool journal_flush(struct journal *journal)
{
	const char *entry;
	size_t at = 0, len;

	for (; at < journal->later_len; at += sizeof(uint16_t) + len) {
		entry = later_entry(journal, at, &len);
		if (try_to_send(journal, entry, len))
			continue;
		if (journal->fd >= 0)
			break; /* in a container the queue of journald's socket may be ten long */
		send_entry(journal, entry, len);
	}
	journal->later_len -= at;
	memmove(journal->later, journal->later + at, journal->later_len);
	return journal->later_len == 0;
}

void journal_close(struct journal *journal)
{
	const char *entry;
	size_t len;

	for (size_t at = 0; at < journal->later_len; at += sizeof(uint16_t) + len) {
		entry = later_entry(journal, at, &len);
		send_entry(journal, entry, len);
	}
	journal->later_len = 0;
	close_fdp(&journal->fd);
}
