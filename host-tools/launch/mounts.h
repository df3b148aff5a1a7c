/* SPDX-License-Identifier: MIT */
#pragma once

/* The container's tree: its root and everything mounted below. Runs in the builder. */

#include "launch.h"

#include <sys/stat.h>

struct build {
	const struct launch *launch;
	const struct container_config *wanted; /* what a reload makes of the launch's; else NULL */
	int root;			       /* the mounted root, O_PATH */
	int whole;	       /* the tree before PivotRoot= had its way, O_PATH; else -EBADF */
	unsigned int n_staged; /* how many directories stage_directory() has made */
	int stage;     /* the builder's own tmpfs, O_PATH, whose top is the guest's root's */
	int userns_fd; /* -EBADF: no user namespace */
	pid_t leader;
	int leader_fd;
	int empty_fd;  /* an empty directory, O_PATH, for masks; by root_mount() */
	int devpts_fd; /* the root of the container's devpts; this and the next by mounts_apply() */
	int doors_fd;  /* the doors' tmpfs, a detached mount; from the supervisor */
	int console_fd;	 /* the master of the container's first pty */
	int *live_binds; /* of the configuration's binds: live-binds.h; NULL: there are none */
};

/*
 * Mounts the root (idmapped with a user namespace; an overlay when ephemeral) on the builder's
 * staging directory and opens it as build->root. Logs. 0 or -errno.
 */
int root_mount(struct build *build);

/* Mounts the table: /proc, /dev, /run, /tmp, masks. Logs. 0 or -errno. */
int mounts_apply(struct build *build);

/* /sys and what is in it. The caller has entered the leader's network namespace. Logs. 0 or -errno.
 */
int mounts_apply_sys(struct build *build);

/*
 * The store and the container's own profiles: first of all that the configuration adds, since an
 * init that Path= names may be told by them only. Logs. 0 or -errno.
 */
int nix_apply(struct build *build);

/* What the launcher shows of its own below /run/host. Logs. 0 or -errno. */
int bundle_show(struct build *build);

/* What else the configuration adds: Bind=, TemporaryFileSystem= …, parents first. Logs. */
int custom_mounts_apply(struct build *build);

/* Mounts one of them each. Log. 0 or -errno. */
int bind_add(struct build *build, const struct config_bind *bind);
int tmpfs_add(struct build *build, const struct config_tmpfs *tmpfs);
int overlay_add(struct build *build, const struct config_overlay *overlay);
int inaccessible_add(struct build *build, const char *path);

/* Removes what overlay_add() made beside layers on the host. In the supervisor, at the end. */
void overlays_forget(const struct container_config *config);

/*
 * Binds a user's directory of the host, nosuid and nodev, so that what belongs there to the ids of
 * outside belongs here to those of inside (by the host's numbers), and what belongs to others to
 * nobody. Logs.
 */
int bind_for_user(struct build *build, const char *source, const char *target,
	const struct stat *outside, const struct stat *inside);

/* The last of all: makes the root read-only where it is to be. Logs. 0 or -errno. */
int root_finish(const struct build *build);

/*
 * Opens, O_PATH, a directory or file of the container's that path leads to, through links that
 * stay inside. Doesn't log.
 */
int open_inside(const struct build *build, const char *path);

/* Makes a directory of its own on the stage, of the container's root, and opens it. Doesn't log. */
int stage_directory(struct build *build);

/* A detached tmpfs that belongs to the container's root. what: for the error. Logs. */
int owned_tmpfs(
	const struct build *build, const char *source, const char *size, uint64_t attributes);

/* Makes the host's directories of PerContainerNix=. To be called as the host's root, whose they
 * are. Logs. */
int nix_make_directories(const struct container_config *config);

/* One bind as a detached mount, with its owners shifted. -ENOENT without a word for an optional one
 * whose source is missing. Logs. */
int bind_clone(const struct build *build, const struct config_bind *bind);

/* Attaches a detached mount (borrowed) at a path below a root, making the mount point. kind:
 * S_IFDIR or S_IFREG. Logs. */
int mount_on(int root, int mount, const char *path, mode_t kind);

/* Attaches a detached mount (consumed) at a path in the container, making the mount point. kind:
 * S_IFDIR or S_IFREG. Logs. */
int mount_at(struct build *build, int mount, const char *path, mode_t kind);
