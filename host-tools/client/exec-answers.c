/* SPDX-License-Identifier: MIT */
#include "exec-answers.h"

#include "../verbs.h"
#include "escape.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void log_guest_text(const char *what, struct exec_string text)
{
	char escaped[4 * EXEC_TEXT_MAX + 1];

	(void)escape_text(escaped, sizeof(escaped), text.data, text.len);
	log_error("%s%s%s", what, text.len > 0 ? ": " : "", escaped);
}

static int failed_status(uint32_t step, uint32_t error)
{
	if (step != EXEC_STEP_PROGRAM)
		return STATUS_FAILED;
	return error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

static void take_failed(struct exec_answers *a, const struct exec_message *m)
{
	static const char *const steps[] = {
		[EXEC_STEP_OTHER] = "the command can't be started",
		[EXEC_STEP_USER] = "no such user",
		[EXEC_STEP_DIRECTORY] = "cannot change to the directory",
		[EXEC_STEP_PROGRAM] = "cannot execute",
		[EXEC_STEP_RESOURCES] = "the container lacks resources",
		[EXEC_STEP_LIMIT] = "too many sessions",
		[EXEC_STEP_PERMISSION] = "not permitted",
	};
	const char *subject = "";
	char what[512];

	if (m->failed.step == EXEC_STEP_PROGRAM && a->request->argv[0])
		subject = a->request->argv[0];
	else if (m->failed.step == EXEC_STEP_USER && a->request->user)
		subject = a->request->user;
	else if (m->failed.step == EXEC_STEP_DIRECTORY && a->request->directory)
		subject = a->request->directory;
	(void)snprintf(what, sizeof(what), "%s%s%.256s%s%s%s", steps[m->failed.step],
		*subject ? " '" : "", subject, *subject ? "'" : "", m->failed.error ? ": " : "",
		m->failed.error ? strerror((int)m->failed.error) : "");
	log_guest_text(what, m->failed.text);
	a->status = failed_status(m->failed.step, m->failed.error);
}

static void take_exited(struct exec_answers *a, const struct exec_message *m)
{
	switch (m->exited.how) {
	case EXEC_HOW_EXITED:
		a->status = (int)m->exited.value;
		break;
	case EXEC_HOW_KILLED:
		a->status = STATUS_SIGNAL + (int)m->exited.value;
		break;
	default:
		log_error("the command has ended, but the container doesn't know how");
		a->status = STATUS_FAILED;
	}
}

/* Whatever is not an answer that is due ends the session. */
static void take_answer(struct exec_answers *a, const struct exec_message *m)
{
	if (m->type == EXEC_STARTED) {
		a->started = true; /* again, from an agent that goes on for another */
	} else if (m->type == EXEC_FAILED && !a->started) {
		take_failed(a, m);
	} else if (m->type == EXEC_EXITED && a->started) {
		take_exited(a, m);
	} else if (m->type == EXEC_ERROR) {
		log_guest_text(a->started ? "the container ends the session"
					  : "the container refuses the request",
			m->error);
		a->status = STATUS_FAILED;
	} else {
		log_error("the container answers out of turn");
		a->status = STATUS_FAILED;
	}
}

void exec_answers_take(struct exec_answers *a, const void *buf, size_t len)
{
	struct exec_message m;
	const char *why = "too long";

	if (len > EXEC_ANSWER_MAX || exec_message_parse(buf, len, &m, &why) < 0) {
		log_error("the container's answer is malformed: %s", why);
		a->status = STATUS_FAILED;
		return;
	}
	take_answer(a, &m);
}
