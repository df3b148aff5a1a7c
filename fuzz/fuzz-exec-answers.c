/* SPDX-License-Identifier: MIT */

/* Answers as the client reads them: packets, each after its length in two bytes. Whatever comes,
 * the session ends with a status that can be exited with. */

#include "fuzz.h"
#include "host-tools/client/exec-answers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *const argv[] = { (char *)"true", NULL };
	static const struct exec_request request = { .argv = argv, .user = "alice" };
	struct exec_answers answers = { .request = &request, .status = -1 };

	while (size >= 2 && answers.status < 0) {
		size_t len = data[0] | (size_t)data[1] << 8;
		char *packet;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		packet = fuzz_text(data, len);
		exec_answers_take(&answers, packet, len);
		MUST(answers.status >= -1 && answers.status <= 255);
		free(packet);
		data += len;
		size -= len;
	}
	return 0;
}
