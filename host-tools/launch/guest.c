/* SPDX-License-Identifier: MIT */
#include "guest.h"

#include "../name.h"
#include "cleanup.h"
#include "fd.h"
#include "guest-network.h"
#include "log.h"
#include "tree.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define SYSTEM_UNITS "/run/systemd/system"
#define UNIT_MAX (64 * 1024)
#define VERSION_MAX 64

enum init_kind guest_init_kind(const struct launch *launch, int root)
{
	static const char *const inits[] = { "/sbin/init", "/usr/lib/systemd/systemd",
		"/lib/systemd/systemd" };
	_cleanup_free_ char *target = NULL;
	const char *name;

	if (!launch->config.boot)
		return INIT_COMMAND;
	if (launch->system) {
		char path[PATH_MAX];

		/* a NixOS system has the systemd that its init executes at the end beside it */
		(void)snprintf(path, sizeof(path), "%s/systemd", launch->system);
		return tree_resolve(root, path, &target) == 0 ? INIT_SYSTEMD : INIT_OTHER;
	}
	for (size_t i = 0; !target && i < ARRAY_SIZE(inits); i++)
		(void)tree_resolve(root, inits[i], &target);
	if (!target)
		return INIT_OTHER;
	name = strrchr(target, '/') + 1;
	if (strcmp(name, "systemd") == 0)
		return INIT_SYSTEMD;
	return strcmp(name, "busybox") == 0 ? INIT_BUSYBOX : INIT_OTHER;
}

void guest_uuid(const struct container_config *config, char ret[33])
{
	uint64_t high, low;

	if (config->machine_id) {
		(void)snprintf(ret, 33, "%s", config->machine_id);
		return;
	}
	/* RFC 9562 version 8 (custom): two hashes of the name, with version and variant set */
	high = (name_hash(config->name) & ~UINT64_C(0xf000)) | 0x8000;
	low = name_hash(config->root) ^ (high << 1 | high >> 63);
	low = (low & ~(UINT64_C(3) << 62)) | UINT64_C(2) << 62;
	(void)snprintf(ret, 33, "%016" PRIx64 "%016" PRIx64, high, low);
}

void guest_line(int root, const char *path, char *line, size_t size)
{
	_cleanup_close_ int fd = tree_open(root, path, S_IFREG), file = -EBADF;
	char link[64];
	ssize_t n;

	line[0] = '\0';
	if (fd < 0)
		return;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	file = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	n = file < 0 ? -1 : read(file, line, size - 1);
	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

static bool guest_agent_is_newer(int root)
{
	char version[VERSION_MAX];

	guest_line(root, "/usr/lib/narthex/guest/version", version, sizeof(version));
	return strverscmp(version, NARTHEX_VERSION) > 0;
}

/* "narthex-login.socket" is the door "login". */
static bool socket_door(const char *unit, char *door, size_t size)
{
	size_t len = strlen(unit);

	if (strncmp(unit, "narthex-", 8) != 0 || len <= 15 ||
		strcmp(unit + len - 7, ".socket") != 0)
		return false;
	(void)snprintf(door, size, "%.*s", (int)(len - 15), unit + 8);
	return true;
}

/* alone: the usual path, in /var/lib, can't be listened on. */
static int enable_door(int root, const char *unit, const char *door, bool alone)
{
	char path[PATH_MAX], text[512];
	_cleanup_close_ int wants = -EBADF;
	/* the exec door is the one that keeps message boundaries */
	const char *listen = strcmp(door, "exec") == 0 ? "ListenSequentialPacket" : "ListenStream";
	int r;

	(void)snprintf(path, sizeof(path), SYSTEM_UNITS "/%s.d/10-doors.conf", unit);
	(void)snprintf(text, sizeof(text), "[Socket]\n%s%s=/run/host/narthex/doors/%s.socket\n",
		alone ? "ListenStream=\n" : "", listen, door);
	r = tree_write(root, path, text, 0644);
	if (r < 0)
		return r;
	wants = tree_mkdir_p(root, SYSTEM_UNITS "/sockets.target.wants");
	if (wants < 0)
		return wants;
	(void)snprintf(path, sizeof(path), "../%s", unit);
	return symlinkat(path, wants, unit) < 0 ? -errno : 0;
}

static int bring_unit(
	const struct launch *launch, int root, int units, const char *name, bool keep_guests)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX], door[NAME_MAX];
	ssize_t n;
	int r;

	if (!keep_guests) {
		n = file_read_all(units, name, O_NOFOLLOW, UNIT_MAX, &text);
		if (n < 0)
			return (int)n;
		(void)snprintf(path, sizeof(path), SYSTEM_UNITS "/%s", name);
		r = tree_write(root, path, text, 0644);
		if (r < 0)
			return r;
	}
	return socket_door(name, door, sizeof(door))
		       ? enable_door(root, name, door, launch->config.read_only)
		       : 0;
}

/*
 * With an empty /etc, systemd asks who is at the console for time zone and root's password, and
 * waits. Nobody is: the console goes to the journal.
 */
static int silence_first_boot(int root)
{
	_cleanup_close_ int units = tree_mkdir_p(root, SYSTEM_UNITS);

	if (units < 0)
		return units;
	return symlinkat("/dev/null", units, "systemd-firstboot.service") < 0 ? -errno : 0;
}

static int bring_units(const struct launch *launch, int root)
{
	_cleanup_closedir_ DIR *dir = NULL;
	bool keep_guests = guest_agent_is_newer(root);
	char path[PATH_MAX];
	struct dirent *entry;

	(void)snprintf(path, sizeof(path), "%s/units", launch->bundle);
	dir = opendir(path);
	if (!dir)
		return log_errno(-errno, "cannot open '%s'", path);
	while ((entry = readdir(dir))) {
		int r;

		if (entry->d_name[0] == '.')
			continue;
		r = bring_unit(launch, root, dirfd(dir), entry->d_name, keep_guests);
		if (r < 0)
			return log_errno(
				r, "cannot bring unit '%s' into the container", entry->d_name);
	}
	return 0;
}

int guest_populate_run(const struct launch *launch, int root, enum init_kind kind)
{
	char uuid[33], line[40];
	int r = tree_write(root, "/run/host/container-manager", "narthex\n", 0444);

	guest_uuid(&launch->config, uuid);
	(void)snprintf(line, sizeof(line), "%s\n", uuid);
	if (r >= 0)
		r = tree_write(root, "/run/host/container-uuid", line, 0444);
	if (r < 0)
		return log_errno(r, "cannot write to the container's /run/host");
	if (kind != INIT_SYSTEMD)
		return 0;
	r = silence_first_boot(root);
	if (r < 0)
		return log_errno(r, "cannot write to the container's " SYSTEM_UNITS);
	r = guest_network_describe(&launch->config, root);
	if (r < 0)
		return log_errno(r, "cannot write to the container's /run/systemd/network");
	return launch->bundle ? bring_units(launch, root) : 0;
}
