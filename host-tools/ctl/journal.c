/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include "cleanup.h"
#include "escape.h"
#include "fd.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-journal.h>
#include <time.h>

static int match(sd_journal *journal, const char *field, const char *value)
{
	_cleanup_free_ char *text = NULL;

	if (!value || !value[0])
		return 0;
	if (asprintf(&text, "%s=%s", field, value) < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return sd_journal_add_match(journal, text, 0);
}

/*
 * What the unit's processes say, or PID 1 says of it, or a program of root's does (activate.c):
 * different fields, journal-fields(7).
 */
static int match_unit(sd_journal *journal, const struct journal_query *query)
{
	int r = match(journal, "_SYSTEMD_UNIT", query->unit);

	if (r >= 0)
		r = sd_journal_add_disjunction(journal);
	if (r >= 0)
		r = match(journal, "UNIT", query->unit);
	if (r >= 0)
		r = match(journal, "_PID", "1");
	if (r >= 0)
		r = sd_journal_add_disjunction(journal);
	if (r >= 0)
		r = match(journal, "OBJECT_SYSTEMD_UNIT", query->unit);
	if (r >= 0)
		r = match(journal, "_UID", "0");
	return r;
}

/* The value of a field as text for a terminal; *ret: caller frees. */
static int get_escaped(sd_journal *journal, const char *field, char **ret)
{
	const char *data;
	size_t n, skip = strlen(field) + 1, size;
	int r = sd_journal_get_data(journal, field, (const void **)&data, &n);
	char *text;

	if (r < 0)
		return r;
	n -= skip;
	size = n * 4 + 1;
	text = malloc(size);
	if (!text)
		return -ENOMEM;
	(void)escape_text(text, size, data + skip, n);
	*ret = text;
	return 0;
}

static int write_time(sd_journal *journal, FILE *f)
{
	char text[32] = "";
	uint64_t usec = 0;
	struct tm tm;
	time_t t;
	int r = sd_journal_get_realtime_usec(journal, &usec);

	t = (time_t)(usec / 1000000);
	if (r >= 0 && localtime_r(&t, &tm))
		(void)strftime(text, sizeof(text), "%b %d %H:%M:%S ", &tm);
	return fputs(text, f) < 0 ? -errno : r;
}

static int write_entry(sd_journal *journal, const struct journal_query *query, FILE *f)
{
	_cleanup_free_ char *message = NULL, *who = NULL;
	uint64_t usec;
	int r;

	/* not by its invocation: journald doesn't know that of a process that has ended meanwhile
	 */
	if (query->since_usec > 0 && sd_journal_get_realtime_usec(journal, &usec) >= 0 &&
		usec < query->since_usec)
		return 0;
	r = get_escaped(journal, "MESSAGE", &message);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (query->prefix)
		(void)fputs(query->prefix, f);
	else
		(void)write_time(journal, f);
	/* the launcher's lines are the container's own; of others one wants to know who they are */
	if (get_escaped(journal, "SYSLOG_IDENTIFIER", &who) == 0 &&
		strcmp(who, "narthex-launch") != 0)
		fprintf(f, "%s: ", who);
	return fprintf(f, "%s\n", message) < 0 ? -errno : 1;
}

static int write_all(sd_journal *journal, const struct journal_query *query, FILE *f)
{
	int r, n = 0;

	while ((r = sd_journal_next(journal)) > 0) {
		r = write_entry(journal, query, f);
		if (r < 0)
			return r;
		n += r;
	}
	if (fflush(f) != 0)
		return -errno;
	return r < 0 ? r : n;
}

/* Before the first entry to be shown. */
static int seek(sd_journal *journal, bool last, unsigned lines)
{
	int r;

	if (!last)
		return sd_journal_seek_head(journal);
	r = sd_journal_seek_tail(journal);
	if (r >= 0)
		r = sd_journal_previous_skip(journal, (uint64_t)lines + 1);
	/* fewer than that: from the first on */
	if (r >= 0 && (unsigned)r <= lines)
		r = sd_journal_seek_head(journal);
	return r;
}

int journal_show(const struct journal_query *query, FILE *f)
{
	sd_journal *journal = NULL;
	int r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY), n = 0;

	if (r >= 0)
		r = match_unit(journal, query);
	if (r >= 0)
		r = seek(journal, query->last, query->lines);
	if (r >= 0)
		r = n = write_all(journal, query, f);
	while (r >= 0 && query->follow) {
		r = sd_journal_wait(journal, UINT64_MAX);
		if (r >= 0)
			r = write_all(journal, query, f);
	}
	sd_journal_close(journal);
	return r < 0 ? r : n;
}

/* As journalctl --sync: one call of varlink (a JSON text and a NUL each way). */
void journal_sync(void)
{
	static const char call[] = "{\"method\":\"io.systemd.Journal.Synchronize\"}";
	static const struct sockaddr_un address = {
		.sun_family = AF_UNIX,
		.sun_path = "/run/systemd/journal/io.systemd.journal",
	};
	static const struct timeval deadline = { .tv_sec = 2 };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char reply[256];

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline)) < 0 ||
		connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		send(fd, call, sizeof(call), MSG_NOSIGNAL) < 0)
		return;
	(void)UNINTERRUPTED(recv(fd, reply, sizeof(reply), 0));
}
