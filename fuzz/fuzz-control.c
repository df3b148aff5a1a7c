/* SPDX-License-Identifier: MIT */

/* What is asked on the launcher's socket. */

#include "fuzz.h"
#include "host-tools/launch/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *request = fuzz_text(data, size);

	switch (control_parse(request, size)) {
	case CONTROL_STATUS:
		MUST(size == 6 && strcmp(request, "status") == 0);
		break;
	case CONTROL_PTY:
		MUST(size == 3 && strcmp(request, "pty") == 0);
		break;
	case CONTROL_UNKNOWN:
		MUST(strcmp(request, "status") != 0 || size != 6);
		break;
	}
	free(request);
	return 0;
}
