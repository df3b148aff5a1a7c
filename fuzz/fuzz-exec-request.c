/* SPDX-License-Identifier: MIT */

/* A request as the agent reads it, up to what is to be spawned: every string ends, every list ends.
 */

#include "agent/exec-request.h"
#include "fuzz.h"

#include <errno.h>

static struct exec_request request;

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list[n]) {
		MUST(strlen(list[n]) < sizeof(request.buf) * 5);
		n++;
	}
	return n;
}

static void prepare(const struct exec_user *user)
{
	struct spawn_request spawn;
	int r = exec_request_prepare(&request, user, NULL, &spawn);

	if (r == -ENAMETOOLONG)
		return;
	MUST(r == 0);
	MUST(count(spawn.argv) > 0 && count(spawn.envp) >= EXEC_DEFAULTS);
	MUST(count((char *const *)spawn.paths) > 0 && spawn.cwd[0]);
	for (char *const *env = spawn.envp; *env; env++)
		MUST(strchr(*env, '='));
	(void)exec_request_is_slow(&request, &spawn);
	exec_request_done(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static gid_t groups[] = { 1000, 27 };
	static const struct exec_user root = {
		.name = (char *)"root",
		.home = (char *)"/root",
		.shell = (char *)"/bin/bash",
		.groups = groups,
		.known = true,
	}, alice = {
		.name = (char *)"alice",
		.home = (char *)"/home/alice",
		.shell = (char *)"/bin/sh",
		.uid = 1000,
		.gid = 1000,
		.groups = groups,
		.n_groups = 2,
		.known = true,
	};
	const char *why = NULL;

	if (size > EXEC_MESSAGE_MAX)
		return 0;
	memcpy(request.buf, data, size);
	if (exec_request_parse(&request, size, &why) < 0) {
		MUST(why);
		return 0;
	}
	if (request.message.type != EXEC_START)
		return 0;
	MUST(count(request.words) <= EXEC_STRINGS_MAX && count(request.given) <= EXEC_STRINGS_MAX);
	MUST(strlen(request.user) <= size && strlen(request.directory) <= size);
	prepare(&root);
	prepare(&alice);
	return 0;
}
