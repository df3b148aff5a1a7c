/* SPDX-License-Identifier: MIT */

/*
 * cgroup v2 has no list of devices: a BPF program is asked at every open and mknod of a device in
 * the cgroup (BPF_PROG_TYPE_CGROUP_DEVICE, linux/bpf.h), and every program up to the hierarchy's
 * root must agree. Ours is attached beside others (BPF_F_ALLOW_MULTI), and goes with the cgroup.
 *
 * It is the list, unrolled: a rule's tests jump to the next rule, and what passes none is refused.
 */
#include "devices.h"

#include "cleanup.h"
#include "log.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define ANY_MINOR UINT32_MAX
#define READ_WRITE (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)
#define ALL (READ_WRITE | BPF_DEVCG_ACC_MKNOD)

struct rule {
	uint32_t type, major, minor, access;
};

/* What a unit of narthex-generator allows (host-tools/unit.c), too. */
static const struct rule usual[] = {
	/* Documentation/admin-guide/devices.txt of Linux */
	{ BPF_DEVCG_DEV_CHAR, 1, 3, ALL }, /* null */
	{ BPF_DEVCG_DEV_CHAR, 1, 5, ALL }, /* zero */
	{ BPF_DEVCG_DEV_CHAR, 1, 7, ALL }, /* full */
	{ BPF_DEVCG_DEV_CHAR, 1, 8, ALL }, /* random */
	{ BPF_DEVCG_DEV_CHAR, 1, 9, ALL }, /* urandom */
	{ BPF_DEVCG_DEV_CHAR, 5, 0, ALL }, /* tty */
	{ BPF_DEVCG_DEV_CHAR, 5, 2, ALL }, /* ptmx */
	/* ptys: Unix98 PTY slaves have eight majors, of which Linux uses the first */
	{ BPF_DEVCG_DEV_CHAR, 136, ANY_MINOR, READ_WRITE },
};

#define BOUND_MAX 64 /* as many as anybody binds one by one; the program stays small */
/* load three fields and split one of them; a rule's tests and answer; refuse */
#define HEAD_LEN 6
#define RULE_LEN_MAX 8
#define TAIL_LEN 2

#define LOAD_TRIES 1000 /* one is enough, unless signals rain */

struct program {
	struct bpf_insn code[HEAD_LEN + RULE_LEN_MAX * (ARRAY_SIZE(usual) + BOUND_MAX) + TAIL_LEN];
	unsigned int len;
};

enum { TYPE = BPF_REG_2, ACCESS = BPF_REG_3, MAJOR = BPF_REG_4, MINOR = BPF_REG_5 };

static void emit(struct program *p, struct bpf_insn instruction)
{
	p->code[p->len++] = instruction;
}

/* Macros, because a register is a field of four bits, which gcc converts no variable to unasked. */
#define EMIT(p, ...) emit(p, (struct bpf_insn){ __VA_ARGS__ })
#define EMIT_LOAD(p, to, field)                                                                    \
	EMIT(p, .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (to), .src_reg = BPF_REG_1,          \
		.off = offsetof(struct bpf_cgroup_dev_ctx, field))
#define EMIT_COPY(p, to, from)                                                                     \
	EMIT(p, .code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = (to), .src_reg = (from))
#define EMIT_CALC(p, operation, to, value)                                                         \
	EMIT(p, .code = BPF_ALU | (operation) | BPF_K, .dst_reg = (to), .imm = (int32_t)(value))
/* Goes to the instruction at end unless the register has the value. */
#define EMIT_UNLESS(p, field, value, end)                                                          \
	EMIT(p, .code = BPF_JMP32 | BPF_JNE | BPF_K, .dst_reg = (field),                           \
		.off = (int16_t)((end) - (p)->len - 1), .imm = (int32_t)(value))

static void emit_answer(struct program *p, uint32_t answer)
{
	EMIT_CALC(p, BPF_MOV, BPF_REG_0, answer);
	EMIT(p, .code = BPF_JMP | BPF_EXIT);
}

static void emit_rule(struct program *p, const struct rule *rule)
{
	unsigned int end = p->len + (rule->minor == ANY_MINOR ? 7 : 8);

	EMIT_UNLESS(p, TYPE, rule->type, end);
	EMIT_UNLESS(p, MAJOR, rule->major, end);
	if (rule->minor != ANY_MINOR)
		EMIT_UNLESS(p, MINOR, rule->minor, end);
	/* whatever is asked for must be among what is allowed */
	EMIT_COPY(p, BPF_REG_0, ACCESS);
	EMIT_CALC(p, BPF_AND, BPF_REG_0, ~rule->access);
	EMIT_UNLESS(p, BPF_REG_0, 0, end);
	emit_answer(p, 1);
}

static void emit_head(struct program *p)
{
	/* "access_type encoded as (BPF_DEVCG_ACC_* << 16) | BPF_DEVCG_DEV_*" */
	EMIT_LOAD(p, TYPE, access_type);
	EMIT_COPY(p, ACCESS, TYPE);
	EMIT_CALC(p, BPF_AND, TYPE, 0xffff);
	EMIT_CALC(p, BPF_RSH, ACCESS, 16);
	EMIT_LOAD(p, MAJOR, major);
	EMIT_LOAD(p, MINOR, minor);
}

/* A device that is bound by itself is meant to be used. */
static int emit_binds(struct program *p, const struct container_config *config)
{
	unsigned int n = 0;

	for (size_t i = 0; i < config->n_binds; i++) {
		const struct config_bind *bind = &config->binds[i];
		struct stat st;

		if (!config_bind_source(bind) || stat(bind->source, &st) < 0 ||
			!(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
			continue;
		if (++n > BOUND_MAX) {
			log_error("more than %d devices are bound in container '%s'", BOUND_MAX,
				config->name);
			return -E2BIG;
		}
		emit_rule(p, &(struct rule){
				     .type = S_ISCHR(st.st_mode) ? BPF_DEVCG_DEV_CHAR
								 : BPF_DEVCG_DEV_BLOCK,
				     .major = major(st.st_rdev),
				     .minor = minor(st.st_rdev),
				     .access = bind->read_only ? BPF_DEVCG_ACC_READ : READ_WRITE,
			     });
	}
	return 0;
}

static int load(const struct program *p)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uint64_t)(uintptr_t)p->code,
		.insn_cnt = p->len,
		.license = (uint64_t)(uintptr_t) "MIT",
	};
	long fd;
	int tries = 0;

	/* the kernel gives it up when a signal is pending, be it one that stops us for a moment */
	do
		fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	while (fd < 0 && errno == EAGAIN && ++tries < LOAD_TRIES);
	return fd < 0 ? -errno : (int)fd;
}

static int attach(int cgroup, int program)
{
	union bpf_attr attr = {
		.target_fd = (uint32_t)cgroup,
		.attach_bpf_fd = (uint32_t)program,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI,
	};

	return syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/* Whether a program is attached to the cgroup's parent itself, which is the unit's. */
static bool unit_has_policy(int cgroup)
{
	_cleanup_close_ int unit = openat(cgroup, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	union bpf_attr attr = {
		.query.target_fd = (uint32_t)unit,
		.query.attach_type = BPF_CGROUP_DEVICE,
	};

	/* asked for no ids, it tells how many there are */
	return unit >= 0 && syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)) == 0 &&
	       attr.query.prog_cnt > 0;
}

int devices_confine(
	const struct cgroup *cgroup, bool service, const struct container_config *config)
{
	_cleanup_close_ int fd = -EBADF;
	struct program p = {};
	int r;

	if (cgroup->fd < 0 || (service && unit_has_policy(cgroup->fd)))
		return 0;
	emit_head(&p);
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		emit_rule(&p, &usual[i]);
	r = emit_binds(&p, config);
	if (r < 0)
		return r;
	emit_answer(&p, 0);
	fd = load(&p);
	r = fd < 0 ? fd : attach(cgroup->fd, fd);
	if (r == 0)
		return 0;
	if (config->private_users == PRIVATE_USERS_NO) {
		errno = -r;
		log_warning("no device policy for container '%s': the kernel refuses it (%m)",
			config->name);
	}
	return 0;
}
