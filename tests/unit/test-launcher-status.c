/* SPDX-License-Identifier: MIT */

/* What the launcher says of its container: the answer's text, and asking for it. */

#include "host-tools/launcher-status.h"

#include "scratch.h"

#include "host-tools/launch/state.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char good[] =
	"{\"name\":\"foo\",\"state\":\"running\",\"leader\":84,\"init\":\"systemd\",\"boots\":2,"
	"\"since_usec\":1795490470747468,\"uid_base\":1420754944,\"uid_count\":65536,"
	"\"launcher\":82}";

static void test_parse(void **state)
{
	struct launcher_status status = LAUNCHER_STATUS_NULL;

	assert_int_equal(launcher_status_parse(good, &status), 0);
	assert_string_equal(status.state, "running");
	assert_string_equal(status.init, "systemd");
	assert_int_equal(status.leader, 84);
	assert_int_equal(status.launcher, 82);
	assert_int_equal(status.boots, 2);
	assert_int_equal(status.since_usec, 1795490470747468);
	assert_int_equal(status.uid_base, 1420754944);
	assert_int_equal(status.uid_count, 65536);
	assert_int_equal(status.launcher_fd, -EBADF);
}

/* A later launcher says more. */
static void test_unknown_members(void **state)
{
	struct launcher_status status = LAUNCHER_STATUS_NULL;

	assert_int_equal(
		launcher_status_parse("{\"new\":\"a much longer text than fits\","
				      "\"state\":\"x\",\"more\":99999999999,\"launcher\":1}",
			&status),
		0);
	assert_string_equal(status.state, "x");
}

static void test_malformed(void **state)
{
	static const char *const texts[] = { "", "{", "{}", "[]", "error: no status",
		"{\"state\":\"x\"}", "{\"state\":\"x\",\"launcher\":1,}",
		"{\"state\":\"x\",\"launcher\":1", "{\"state\":\"x\" \"launcher\":1}",
		"{\"state\":\"x\",\"launcher\":\"1\"}", "{\"state\":1,\"launcher\":1}",
		"{\"state\":\"x\",\"launcher\":-1}", "{\"state\":\"x\",\"launcher\":0}",
		"{\"state\":\"x\",\"launcher\":4294967296}",
		"{\"state\":\"x\",\"launcher\":4294967295}",
		"{\"state\":\"x\",\"launcher\":1,\"since_usec\":18446744073709551616}",
		"{\"state\":\"0123456789abcdef\",\"launcher\":1}",
		"{\"state\":\"a\\\"\",\"launcher\":1}",
		"{\"state\":\"x\",\"launcher\":1,\"unfinished", "{\"state\":\"x\",\"launcher\":" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct launcher_status status = LAUNCHER_STATUS_NULL;

		if (launcher_status_parse(texts[i], &status) != -EPROTO)
			fail_msg("taken: %s", texts[i]);
		assert_int_equal(status.launcher, 0);
	}
}

/* Every cut of a good answer is refused, and nothing beyond its end is read. */
static void test_cut(void **state)
{
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		_cleanup_free_ char *cut = strndup(good, n);
		struct launcher_status status = LAUNCHER_STATUS_NULL;

		assert_non_null(cut);
		assert_int_equal(launcher_status_parse(cut, &status), -EPROTO);
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* A launcher that answers once: text NULL just closes. */
static pid_t launcher(int fd, const char *text)
{
	pid_t pid = fork();

	if (pid == 0) {
		char request[16];
		int peer = accept(fd, NULL, NULL);

		if (recv(peer, request, sizeof(request), 0) != 6 ||
			memcmp(request, "status", 6) != 0)
			_exit(1);
		if (text && send(peer, text, strlen(text), 0) < 0)
			_exit(2);
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static int ask_setup(void **state)
{
	(void)mkdir(RUN_DIR, 0755);
	return mkdir(RUN_DIR "/foo", 0755);
}

static int ask_teardown(void **state)
{
	(void)unlink(RUN_DIR "/foo/launcher.socket");
	return rmdir(RUN_DIR "/foo");
}

static void test_ask(void **state)
{
	int fd = listen_at(RUN_DIR "/foo/launcher.socket");
	struct launcher_status status = LAUNCHER_STATUS_NULL;
	size_t fds = count_fds();
	pid_t pid = launcher(fd, good);

	assert_int_equal(launcher_ask("foo", &status), 0);
	assert_int_equal(status.leader, 84);
	launcher_status_done(&status);
	assert_int_equal(count_fds(), fds);
	assert_int_equal(wait_child(pid), 0);
	pid = launcher(fd, "nonsense");
	assert_int_equal(launcher_ask("foo", &status), -EPROTO);
	assert_int_equal(wait_child(pid), 0);
	/* it ended before it answered */
	pid = launcher(fd, NULL);
	assert_int_equal(launcher_ask("foo", &status), -ENOENT);
	assert_int_equal(wait_child(pid), 0);
	(void)close(fd);
	/* what a crash leaves */
	assert_int_equal(launcher_ask("foo", &status), -ENOENT);
}

static void test_nobody(void **state)
{
	struct launcher_status status;

	assert_int_equal(launcher_ask("foo", &status), -ENOENT);
	assert_int_equal(launcher_ask("absent", &status), -ENOENT);
}

/* It neither answers nor ends. */
static void test_silent(void **state)
{
	int fd = listen_at(RUN_DIR "/foo/launcher.socket");
	struct launcher_status status;

	assert_int_equal(launcher_ask("foo", &status), -EAGAIN);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_unknown_members),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_cut),
		cmocka_unit_test_setup_teardown(test_ask, ask_setup, ask_teardown),
		cmocka_unit_test_setup_teardown(test_nobody, ask_setup, ask_teardown),
		cmocka_unit_test_setup_teardown(test_silent, ask_setup, ask_teardown),
	};

	return cmocka_run_group_tests(tests, scratch_enter, NULL);
}
