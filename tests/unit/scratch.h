/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A place of a test's own: a mount namespace with an empty /run (so RUN_DIR is the test's alone),
 * an empty network, and counters that show what a test left open. All of it dies with the process.
 * Needs root.
 */

#include "cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define SCRATCH "/run/scratch"
#define SCRATCH_DEADLINE_MS 60000

#define UNUSED_OK __attribute__((unused))

/* A group setup. */
UNUSED_OK static int scratch_enter(void **state)
{
	(void)state;
	(void)umask(022);
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("scratch", "/run", "tmpfs", MS_NOSUID, "mode=0755") < 0 ||
		mkdir(SCRATCH, 0755) < 0) {
		perror("this test needs root");
		return -1;
	}
	return 0;
}

UNUSED_OK static size_t count_entries(const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	const struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	return n;
}

UNUSED_OK static size_t count_fds(void)
{
	return count_entries("/proc/self/fd");
}

/* How many mounts there are at or below path. */
UNUSED_OK static size_t count_mounts(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0, n = 0;

	assert_non_null(f);
	while (getline(&line, &size, f) >= 0) {
		char where[4096];

		assert_int_equal(sscanf(line, "%*d %*d %*s %*s %4095s", where), 1);
		n += strncmp(where, path, strlen(path)) == 0;
	}
	return n;
}

UNUSED_OK static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

UNUSED_OK static void put_file(const char *path, const char *text)
{
	_cleanup_fclose_ FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
}

UNUSED_OK static void assert_file(const char *path, const char *text)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char have[8192];

	if (!f)
		fail_msg("cannot open %s", path);
	have[fread(have, 1, sizeof(have) - 1, f)] = '\0';
	assert_string_equal(have, text);
}

UNUSED_OK static int64_t clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Waits for a child's end: its exit status, or 128+N. */
UNUSED_OK static int wait_child(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Whether fd becomes readable, or its other end goes, before the deadline. */
UNUSED_OK static bool wait_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, SCRATCH_DEADLINE_MS) == 1;
}
