/* SPDX-License-Identifier: MIT */

/* What is answered on the launcher's socket. */

#include "fuzz.h"
#include "host-tools/launcher-status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct launcher_status status = LAUNCHER_STATUS_NULL, before = status;
	char *text = fuzz_text(data, size);

	if (launcher_status_parse(text, &status) < 0) {
		MUST(memcmp(&status, &before, sizeof(status)) == 0);
	} else {
		MUST(status.state[0] && memchr(status.state, '\0', sizeof(status.state)));
		MUST(memchr(status.init, '\0', sizeof(status.init)));
		MUST(status.leader >= 0 && status.launcher > 0 && status.launcher_fd < 0);
	}
	free(text);
	return 0;
}
