/* SPDX-License-Identifier: MIT */
#include "unpack.h"

#include "cleanup.h"
#include "escape.h"
#include "log.h"

#include <stdbool.h>
#include <string.h>

#define WARNINGS_MAX 10

static const char *shown(const char *text, char *out, size_t size)
{
	(void)escape_text(out, size, text, strlen(text));
	return out;
}

/* NULL: the name stays below the tree. */
static const char *fault_of_name(const char *name)
{
	if (*name == '/')
		return "is absolute";
	for (const char *p = name; *p;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return "leads out of the tree";
		p += len + (p[len] == '/');
	}
	return NULL;
}

static int check_entry(struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry), *link = archive_entry_hardlink(entry);
	const char *fault = name ? fault_of_name(name) : "can't be read";
	char text[512];

	if (fault) {
		log_error("the archive's file '%s' is refused: its name %s",
			shown(name ?: "", text, sizeof(text)), fault);
		return -EPERM;
	}
	fault = link ? fault_of_name(link) : NULL;
	if (fault) {
		log_error("the archive's hard link to '%s' is refused: that name %s",
			shown(link, text, sizeof(text)), fault);
		return -EPERM;
	}
	return 0;
}

int unpack_report(struct archive *archive, const char *what, struct archive_entry *entry)
{
	const char *name = entry ? archive_entry_pathname(entry) : NULL;
	const char *why = archive_error_string(archive);
	char text[512], why_text[512];

	log_error("cannot %s%s%s%s: %s", what, name ? " '" : "",
		name ? shown(name, text, sizeof(text)) : "", name ? "'" : "",
		shown(why ?: "no reason known", why_text, sizeof(why_text)));
	return -EIO;
}

/* Some metadata could not be set: said, up to a number of times, but no failure. */
static void warn(struct archive *archive, struct archive_entry *entry)
{
	static unsigned warnings;
	const char *why = archive_error_string(archive);
	char name[512], why_text[512];

	if (warnings++ < WARNINGS_MAX)
		log_warning("'%s': %s",
			shown(archive_entry_pathname(entry) ?: "", name, sizeof(name)),
			shown(why ?: "not restored completely", why_text, sizeof(why_text)));
}

static int copy_data(struct archive *in, struct archive *out, struct archive_entry *entry)
{
	const void *block;
	size_t size;
	la_int64_t offset;
	int r;

	while ((r = archive_read_data_block(in, &block, &size, &offset)) == ARCHIVE_OK)
		/* holes stay holes: there is no block for them */
		/* a full disk is a warning to it */
		if (archive_write_data_block(out, block, size, offset) < ARCHIVE_OK) {
			/* its own text doesn't say why */
			if (archive_errno(out) > 0)
				archive_set_error(out, archive_errno(out), "%s",
					strerror(archive_errno(out)));
			return unpack_report(out, "write", entry);
		}
	return r == ARCHIVE_EOF ? 0 : unpack_report(in, "read", entry);
}

static int unpack_entry(struct archive *in, struct archive *out, struct archive_entry *entry)
{
	int r = check_entry(entry);

	if (r < 0)
		return r;
	r = archive_write_header(out, entry);
	if (r < ARCHIVE_WARN)
		return unpack_report(out, "make", entry);
	if (r == ARCHIVE_WARN)
		warn(out, entry);
	if (archive_entry_size(entry) > 0) {
		r = copy_data(in, out, entry);
		if (r < 0)
			return r;
	}
	r = archive_write_finish_entry(out);
	if (r < ARCHIVE_WARN)
		return unpack_report(out, "finish", entry);
	if (r == ARCHIVE_WARN)
		warn(out, entry);
	return 0;
}

static int unpack_entries(struct archive *in, struct archive *out)
{
	struct archive_entry *entry;
	uint64_t n = 0;
	int r;

	while ((r = archive_read_next_header(in, &entry)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
		r = unpack_entry(in, out, entry);
		if (r < 0)
			return r;
		n++;
	}
	if (r != ARCHIVE_EOF)
		return unpack_report(in, "read the archive", NULL);
	if (n == 0) {
		log_error("the archive is empty");
		return -ENODATA;
	}
	/* the modes and times of directories come last */
	if (archive_write_close(out) != ARCHIVE_OK)
		return unpack_report(out, "finish", NULL);
	return 0;
}

int unpack(struct archive *in, struct archive *out)
{
	if (archive_write_disk_set_options(
		    out, ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
				 ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR |
				 ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
				 ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS) != ARCHIVE_OK)
		return unpack_report(out, "begin", NULL);
	return unpack_entries(in, out);
}
