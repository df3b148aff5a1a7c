/* SPDX-License-Identifier: MIT */

/* What is asked on the launcher's socket. */

#include "fuzz.h"
#include "host-tools/launch/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const words[] = {
		[CONTROL_STATUS] = "status",
		[CONTROL_PTY] = "pty",
		[CONTROL_RELOAD] = "reload",
		[CONTROL_RELOAD_DRY_RUN] = "reload dry-run",
	};
	char *request = fuzz_text(data, size);
	const char *argument;
	enum control_request parsed = control_parse(request, size, &argument);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		MUST((parsed == (enum control_request)i) ==
			(strlen(words[i]) == size && strcmp(request, words[i]) == 0));
	/* an argument is the rest of the request */
	MUST(argument[strlen(argument)] == '\0');
	MUST((parsed == CONTROL_UPGRADE || parsed == CONTROL_UPGRADE_DRY_RUN) ==
		(*argument != '\0'));
	if (*argument)
		MUST(argument > request && argument + strlen(argument) == request + size);
	free(request);
	return 0;
}
