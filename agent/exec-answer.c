/* SPDX-License-Identifier: MIT */
#include "exec-answer.h"

#include "log.h"
#include "shortage.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static void answer(int fd, const struct exec_message *message)
{
	char buf[EXEC_TEXT_MAX + 64];
	size_t n = exec_message_write(buf, message);

	unsigned int tries = 0;

	/* there are three of them at most: they always fit */
	while (fd >= 0 && send(fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
		shortage_passes(-errno, &tries))
		;
}

static struct exec_string string(const char *text)
{
	return (struct exec_string){ text, (uint32_t)strlen(text) };
}

void exec_answer_started(int fd, pid_t leader)
{
	const struct exec_message message = { .type = EXEC_STARTED, .pid = (uint32_t)leader };

	answer(fd, &message);
}

void exec_answer_failed(int fd, const char *program, enum exec_step step, int r, const char *text)
{
	const struct exec_message message = {
		.type = EXEC_FAILED,
		.failed = { .step = step, .error = (uint32_t)-r, .text = string(text) },
	};

	log_info("door exec: cannot start %s: %s%s%s", program[0] ? program : "a session", text,
		text[0] && r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
	answer(fd, &message);
}

void exec_answer_spawn_failed(int fd, const char *program, enum spawn_step step, int r)
{
	static const enum exec_step steps[] = {
		[SPAWN_PROCESS] = EXEC_STEP_RESOURCES,
		[SPAWN_DESCRIPTORS] = EXEC_STEP_RESOURCES,
		[SPAWN_SESSION] = EXEC_STEP_OTHER,
		[SPAWN_TERMINAL] = EXEC_STEP_OTHER,
		[SPAWN_LIMIT] = EXEC_STEP_OTHER,
		[SPAWN_IDENTITY] = EXEC_STEP_USER,
		[SPAWN_DIRECTORY] = EXEC_STEP_DIRECTORY,
		[SPAWN_PROGRAM] = EXEC_STEP_PROGRAM,
	};
	enum exec_step told = steps[step];

	if (step == SPAWN_IDENTITY && r == -EPERM)
		told = EXEC_STEP_PERMISSION;
	/* the message's step says it as well, and better */
	exec_answer_failed(fd, program, told, r,
		told == EXEC_STEP_OTHER || told == EXEC_STEP_RESOURCES ? spawn_step_text(step)
								       : "");
}

static uint64_t usec(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

void exec_answer_exited(int fd, const siginfo_t *info, const struct rusage *usage)
{
	const struct exec_message message = {
		.type = EXEC_EXITED,
		.exited = {
			.how = info->si_pid == 0	    ? EXEC_HOW_UNKNOWN
			       : info->si_code == CLD_EXITED ? EXEC_HOW_EXITED
							     : EXEC_HOW_KILLED,
			.value = (uint32_t)info->si_status,
			.user_usec = usec(&usage->ru_utime),
			.system_usec = usec(&usage->ru_stime),
			.maxrss = (uint64_t)usage->ru_maxrss * 1024,
		},
	};

	answer(fd, &message);
}

void exec_answer_error(int fd, const char *text)
{
	const struct exec_message message = { .type = EXEC_ERROR, .error = string(text) };

	answer(fd, &message);
}
