/* SPDX-License-Identifier: MIT */

/* What the parser takes it must walk without leaving the packet, and writing it again gives the
 * same bytes. */

#include "exec-message.h"
#include "fuzz.h"

static char again[EXEC_MESSAGE_MAX];

static char *copy(struct exec_string s)
{
	char *text = strndup(s.data, s.len);

	if (!text || strlen(text) != s.len)
		abort();
	return text;
}

static size_t write_start(const struct exec_start *start)
{
	char **words = calloc(start->argc + start->envc + 2, sizeof(char *));
	char **env = words + start->argc + 1;
	char *user = copy(start->user), *directory = copy(start->directory);
	const char *cursor = start->strings;
	ssize_t n;

	if (!words)
		abort();
	for (uint32_t i = 0; i < start->argc; i++)
		words[i] = copy(exec_string_next(&cursor));
	for (uint32_t i = 0; i < start->envc; i++)
		env[i] = copy(exec_string_next(&cursor));
	n = exec_message_start(again, sizeof(again), start->flags, user, directory, words, env);
	for (uint32_t i = 0; i < start->argc + start->envc + 1; i++)
		free(words[i]);
	free(words);
	free(user);
	free(directory);
	return (size_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exec_message message;
	const char *why = NULL;
	size_t n;

	if (exec_message_parse(data, size, &message, &why) < 0) {
		if (!why)
			abort();
		return 0;
	}
	n = message.type == EXEC_START ? write_start(&message.start)
				       : exec_message_write(again, &message);
	if (n != size || memcmp(again, data, size) != 0)
		abort();
	return 0;
}
