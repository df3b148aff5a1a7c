/* SPDX-License-Identifier: MIT */

/* Records of the guest's list of open sessions. What is taken is written again as it was meant. */

#include "fuzz.h"
#include "session-record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session_record record, again;
	char *in = malloc(SESSION_RECORD_SIZE), out[SESSION_RECORD_SIZE];

	MUST(in);
	memset(in, ' ', SESSION_RECORD_SIZE);
	in[SESSION_RECORD_SIZE - 1] = '\n';
	memcpy(in, data, size < SESSION_RECORD_SIZE ? size : SESSION_RECORD_SIZE);
	if (session_record_parse(in, &record) > 0) {
		session_record_write(out, &record);
		MUST(session_record_parse(out, &again) == 1);
		MUST(strcmp(record.door, again.door) == 0 && strcmp(record.user, again.user) == 0);
		MUST(record.since_usec == again.since_usec);
		for (const char *p = record.user; *p; p++)
			MUST(*p > ' ' && *p < 0x7f);
	}
	free(in);
	return 0;
}
