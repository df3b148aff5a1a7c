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
	enum control_request parsed = control_parse(request, size);

	for (int i = 0; i < CONTROL_UNKNOWN; i++)
		MUST((parsed == (enum control_request)i) ==
			(strlen(words[i]) == size && strcmp(request, words[i]) == 0));
	free(request);
	return 0;
}
