/* SPDX-License-Identifier: MIT */

#include "integration.h"

#include "cleanup.h"
#include "fd.h"
#include "log.h"
#include "mnt.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LOCALTIME "/etc/localtime"
#define ZONES "/usr/share/zoneinfo/"
#define ZONE_SIZE_MAX (64 * 1024) /* the largest of tzdata's has 4 KiB */

/* "Europe/Berlin", as the host's link says. -EINVAL: it is a file. */
static int host_zone(char *zone, size_t size)
{
	char link[PATH_MAX];
	const char *at;
	ssize_t n = readlink(LOCALTIME, link, sizeof(link) - 1);

	if (n < 0 && errno == ENOENT)
		return snprintf(zone, size, "UTC") > 0 ? 0 : -EINVAL; /* localtime(5) */
	if (n < 0)
		return -errno;
	link[n] = '\0';
	at = strstr(link, ZONES);
	if (!at || strstr(at, "/../") || strlen(at) - strlen(ZONES) >= size)
		return -EINVAL;
	(void)snprintf(zone, size, "%s", at + strlen(ZONES));
	return 0;
}

static bool has_zone(const struct build *build, const char *zone)
{
	_cleanup_close_ int fd = -EBADF;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), ZONES "%s", zone);
	fd = open_inside(build, path);
	return fd >= 0;
}

/* Removes what lies there, so that nothing is ever written through it. */
static int clear(int etc)
{
	return unlinkat(etc, "localtime", 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int make_link(int etc, const char *zone)
{
	char wanted[PATH_MAX], there[PATH_MAX];
	ssize_t n;
	int r;

	(void)snprintf(wanted, sizeof(wanted), "..%s%s", ZONES, zone);
	n = readlinkat(etc, "localtime", there, sizeof(there) - 1);
	if (n >= 0 && (size_t)n == strlen(wanted) && memcmp(there, wanted, (size_t)n) == 0)
		return 0;
	r = clear(etc);
	return r < 0 ? r : symlinkat(wanted, etc, "localtime") < 0 ? -errno : 0;
}

static int make_copy(int etc)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -EBADF;
	ssize_t n = file_read_all(AT_FDCWD, LOCALTIME, 0, ZONE_SIZE_MAX, &text);
	int r = n < 0 ? (int)n : clear(etc);

	if (r < 0)
		return r;
	fd = openat(etc, "localtime", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd_write_all(fd, text, (size_t)n);
}

/* Onto the zone's own file when there is a link to it, as systemd-nspawn does it. */
static int bind_host(const struct build *build, int etc)
{
	_cleanup_close_ int source = open(LOCALTIME, O_PATH | O_CLOEXEC), mount = -EBADF,
			    target = open_inside(build, LOCALTIME);
	int r;

	if (target == -ENOENT) {
		r = clear(etc);
		target = r < 0 ? r : tree_mount_point(etc, "localtime", S_IFREG);
	}
	if (target < 0)
		return target;
	mount = source < 0 ? -errno : mnt_clone(source, "", false);
	r = mount < 0 ? mount
		      : mnt_set(mount,
				MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					MOUNT_ATTR_NOEXEC,
				false);
	return r < 0 ? r : mnt_attach(mount, target);
}

static enum timezone_mode choose(const struct build *build, int zone_found, const char *zone)
{
	const struct container_config *config = &build->launch->config;

	if (config->timezone != TIMEZONE_AUTO)
		return config->timezone;
	if (config_root_is_read_only(config))
		return TIMEZONE_BIND;
	return zone_found == 0 && has_zone(build, zone) ? TIMEZONE_SYMLINK : TIMEZONE_COPY;
}

int timezone_apply(struct build *build)
{
	_cleanup_close_ int etc = -EBADF;
	char zone[NAME_MAX + 1] = "";
	int zone_found, r = 0;

	if (build->launch->config.timezone == TIMEZONE_OFF)
		return 0;
	zone_found = host_zone(zone, sizeof(zone));
	etc = tree_mkdir_p(build->root, "/etc");
	if (etc < 0)
		return log_errno(etc, "cannot open /etc in the container");
	switch (choose(build, zone_found, zone)) {
	case TIMEZONE_SYMLINK:
		if (zone_found == 0 && !has_zone(build, zone)) {
			log_error("Timezone=symlink: the container has no " ZONES
				  "%s: install its tzdata, or use copy",
				zone);
			return -ENOENT;
		}
		r = zone_found < 0 ? zone_found : make_link(etc, zone);
		break;
	case TIMEZONE_COPY:
		r = make_copy(etc);
		break;
	case TIMEZONE_BIND:
		r = bind_host(build, etc);
		break;
	case TIMEZONE_DELETE:
		r = clear(etc);
		break;
	default:
		break;
	}
	return r < 0 ? log_errno(r, "cannot change /etc/localtime in the container (Timezone=)")
		     : 0;
}
