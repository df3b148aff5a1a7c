/* SPDX-License-Identifier: MIT */

/* The syntax of configuration: any text is parsed to its end, and callbacks get whole strings. */

#include "fuzz.h"
#include "ini.h"

#include <errno.h>

static int on_section(void *userdata, const char *section, unsigned line)
{
	(void)userdata;
	return line == 0 || strchr(section, '\n') ? -EINVAL : 0;
}

static int on_assignment(
	void *userdata, const char *section, const char *key, const char *value, unsigned line)
{
	(void)userdata;
	return line == 0 || !section || !*key || strchr(value, '\n') ? -EINVAL : 0;
}

static int on_error(void *userdata, unsigned line, const char *what)
{
	(void)userdata;
	return line == 0 || !*what ? -EINVAL : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ini_callbacks callbacks = {
		.section = on_section,
		.assignment = on_assignment,
		.error = on_error,
	};
	int r = ini_parse((const char *)data, size, &callbacks, NULL);

	if (r < 0 && r != -EFBIG)
		abort();
	return 0;
}
