/* SPDX-License-Identifier: MIT */
#pragma once

/* What the client of the exec door makes of the container's answers. */

#include "exec-client.h"
#include "exec-message.h"

#define EXEC_ANSWER_MAX (EXEC_TEXT_MAX + 64)

#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND 127
#define STATUS_SIGNAL 128

struct exec_answers {
	const struct exec_request *request; /* for messages */
	bool started;
	int status; /* to exit with; -1 while nobody knows */
};

/*
 * Takes one packet of any bytes; of one longer than EXEC_ANSWER_MAX nothing is looked at. An answer
 * that is malformed or not due ends the session, as the last one does: status is set then. Logs,
 * with the guest's text escaped.
 */
void exec_answers_take(struct exec_answers *answers, const void *buf, size_t len);
