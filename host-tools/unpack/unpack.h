/* SPDX-License-Identifier: MIT */
#pragma once

/* From a tar archive, which may be hostile, to files in the working directory. */

#include <archive.h>
#include <archive_entry.h>

/*
 * in: opened, not read from yet; out: of archive_write_disk_new(). Both borrowed. Refuses names
 * that are absolute or lead out of the tree, and what lies behind a symbolic link; no file outside
 * of the working directory is made, changed or linked to. Stops at the first error. Logs. 0 or
 * -errno.
 */
int unpack(struct archive *in, struct archive *out);

/* Logs "cannot WHAT 'NAME': " and libarchive's reason, escaped; entry may be NULL. Returns -EIO. */
int unpack_report(struct archive *archive, const char *what, struct archive_entry *entry);
