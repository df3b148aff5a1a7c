/* SPDX-License-Identifier: MIT */

#include "resolv.h"

#include "cleanup.h"
#include "fd.h"
#include "hosts.h"
#include "log.h"
#include "mnt.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define SIZE_MAX_BYTES (64 * 1024)

static const char *const sources[] = {
	[RESOLV_HOST] = "/etc/resolv.conf",
	[RESOLV_STATIC] = "/usr/lib/systemd/resolv.conf",
	[RESOLV_UPLINK] = "/run/systemd/resolve/resolv.conf",
	[RESOLV_STUB] = "/run/systemd/resolve/stub-resolv.conf",
};

static bool has_own_network(const struct container_config *config)
{
	return config->private_network || config->namespace_path;
}

/* A container whose addresses are its own business has its own ways to resolvers, too. */
static enum resolv_action action_of(const struct container_config *config)
{
	if (config->resolv_action != RESOLV_AUTO || !has_own_network(config) ||
		config->local_address.family || config->local_address6.family)
		return config->resolv_action;
	return RESOLV_OFF;
}

static bool has_copy(const struct container_config *config)
{
	enum resolv_action action = action_of(config);

	return action == RESOLV_BIND || action == RESOLV_AUTO;
}

/* --- the text --------------------------------------------------------------------------------- */

static bool is_loopback_line(const char *line)
{
	const char *address;

	if (strncmp(line, "nameserver", 10) != 0)
		return false;
	address = line + 10 + strspn(line + 10, " \t");
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* Drops comments, empty lines and, with own_network, resolvers that can't be reached. In place. */
static void clean(char *text, bool own_network)
{
	char *in = text, *out = text, *line;

	while ((line = strsep(&in, "\n"))) {
		size_t len = strlen(line);

		while (len > 0 && strchr(" \t\r", line[len - 1]))
			line[--len] = '\0';
		if (len == 0 || line[0] == '#' || line[0] == ';' ||
			(own_network && is_loopback_line(line)))
			continue;
		memmove(out, line, len);
		out += len;
		*out++ = '\n';
	}
	*out = '\0';
}

static bool has_resolver(const char *text)
{
	return strncmp(text, "nameserver", 10) == 0 || strstr(text, "\nnameserver");
}

static int read_source(enum resolv_source source, bool own_network, char **ret)
{
	ssize_t n = file_read_all(AT_FDCWD, sources[source], O_NONBLOCK, SIZE_MAX_BYTES, ret);

	if (n == -ENOENT) {
		*ret = calloc(1, 1);
		return *ret ? 0 : -ENOMEM;
	}
	if (n < 0 || !*ret)
		return n < 0 ? (int)n : -ENOMEM;
	/* strsep() of the last line needs no more room than its newline had, if it had one */
	if (n > 0 && (*ret)[n - 1] != '\n') {
		char *bigger = realloc(*ret, (size_t)n + 2);

		if (!bigger) {
			free(TAKE_PTR(*ret));
			return -ENOMEM;
		}
		bigger[n] = '\n';
		bigger[n + 1] = '\0';
		*ret = bigger;
	}
	clean(*ret, own_network);
	return 0;
}

int resolv_read(const struct container_config *config, char **ret)
{
	bool own = has_own_network(config);
	char *text = NULL;
	int r = read_source(config->resolv_source, own, &text);

	if (r == 0 && own && !has_resolver(text) && config->resolv_source != RESOLV_UPLINK) {
		free(TAKE_PTR(text));
		r = read_source(RESOLV_UPLINK, own, &text);
	}
	if (r == 0 && !has_resolver(text))
		*text = '\0';
	if (r == 0)
		*ret = text;
	return r;
}

/* --- the launcher's copy ---------------------------------------------------------------------- */

int resolv_refresh(const struct launch *launch)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (!has_copy(&launch->config))
		return 0;
	r = resolv_read(&launch->config, &text);
	if (r < 0)
		return log_errno(r, "cannot read the host's resolvers (ResolvConf=)");
	r = file_refresh(launch->state.dir_fd, RESOLV_FILE, text);
	return r < 0 ? log_errno(r, "cannot write %s/%s/" RESOLV_FILE, RUN_DIR, launch->config.name)
		     : 0;
}

/* --- in the builder --------------------------------------------------------------------------- */

/* Whether there is nothing that somebody in the container has written or linked. */
static bool is_vacant(int etc)
{
	struct stat st;

	if (fstatat(etc, "resolv.conf", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	return S_ISREG(st.st_mode) && st.st_size == 0;
}

static int remove_there(int etc, const char *name)
{
	return unlinkat(etc, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int copy(struct build *build, int etc, bool replace)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	int r;

	if (!replace && fstatat(etc, "resolv.conf", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		!S_ISREG(st.st_mode))
		return 0;
	r = resolv_read(&build->launch->config, &text);
	if (r < 0 || !text)
		return r;
	if (*text == '\0') {
		log_info("the host has no resolvers for container '%s' now: use ResolvConf=auto "
			 "or bind-host to have them when it has",
			build->launch->config.name);
		return 0;
	}
	r = remove_there(etc, RESOLV_FILE);
	return r < 0 ? r : tree_write(etc, "resolv.conf", text, 0644);
}

/* Shows a file of the container's directory on the host at /etc/NAME. */
static int show_copy(struct build *build, int etc, const char *name)
{
	_cleanup_close_ int mount = -EBADF, target = -EBADF;
	char path[sizeof(RUN_DIR) + NAME_MAX + 32], inside[32];
	int r;

	/* by its path: only what is mounted in the builder's own mount namespace can be cloned */
	(void)snprintf(path, sizeof(path), RUN_DIR "/%s/%s", build->launch->config.name, name);
	(void)snprintf(inside, sizeof(inside), "/etc/%s", name);
	mount = mnt_clone(AT_FDCWD, path, false);
	if (mount < 0)
		return mount;
	target = open_inside(build, inside);
	if (target == -ENOENT) {
		r = remove_there(etc, name); /* a link that leads nowhere */
		target = r < 0 ? r : tree_mount_point(etc, name, S_IFREG);
	}
	if (target < 0)
		return target;
	r = mnt_set(mount,
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
		false);
	return r < 0 ? r : mnt_attach(mount, target);
}

int hosts_apply(struct build *build)
{
	_cleanup_close_ int etc = -EBADF;
	int r;

	if (!build->launch->config.hosts)
		return 0;
	r = etc = tree_mkdir_p(build->root, "/etc");
	if (r >= 0)
		r = show_copy(build, etc, HOSTS_FILE);
	return r < 0 ? log_errno(r, "cannot show the container its hosts file (Hosts=)") : 0;
}

int resolv_apply(struct build *build)
{
	enum resolv_action action = action_of(&build->launch->config);
	_cleanup_close_ int etc = -EBADF;
	int r = 0;

	if (action == RESOLV_OFF)
		return 0;
	/* a tree without /etc wants none */
	etc = action == RESOLV_AUTO ? tree_open(build->root, "/etc", S_IFDIR)
				    : tree_mkdir_p(build->root, "/etc");
	if (etc < 0)
		return action == RESOLV_AUTO ? 0
					     : log_errno(etc, "cannot open /etc in the container");
	switch (action) {
	case RESOLV_COPY:
	case RESOLV_REPLACE:
		r = copy(build, etc, action == RESOLV_REPLACE);
		break;
	case RESOLV_BIND:
		r = show_copy(build, etc, RESOLV_FILE);
		break;
	case RESOLV_AUTO:
		if (is_vacant(etc))
			r = show_copy(build, etc, RESOLV_FILE);
		break;
	case RESOLV_DELETE:
		r = remove_there(etc, RESOLV_FILE);
		break;
	default:
		break;
	}
	return r < 0 ? log_errno(r, "cannot give the container the host's resolvers (ResolvConf=)")
		     : 0;
}
