/* SPDX-License-Identifier: MIT */

/* Runs the generator that was built (NARTHEX_BUILD names the place) over a tree of its own. */

#include "host-tools/unit.h"

#include "cleanup.h"
#include "fd.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

#include <cmocka.h>

static char dir[] = "/tmp/narthex-test-XXXXXX";

/* dir/NAME, in one of a few buffers that take turns. */
static const char *path_of(const char *name)
{
	static char path[4][PATH_MAX];
	static unsigned turn;

	turn = (turn + 1) % 4;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void write_text(const char *name, const char *text)
{
	_cleanup_fclose_ FILE *f = fopen(path_of(name), "we");

	assert_non_null(f);
	fputs(text, f);
}

static const char *content(const char *name)
{
	static char text[16384];
	_cleanup_free_ char *all = NULL;

	if (file_read_all(AT_FDCWD, path_of(name), 0, sizeof(text) - 1, &all) < 0)
		return "";
	(void)snprintf(text, sizeof(text), "%s", all);
	return text;
}

static const char *link_of(const char *name)
{
	static char target[PATH_MAX];
	ssize_t n = readlink(path_of(name), target, sizeof(target) - 1);

	target[n < 0 ? 0 : n] = '\0';
	return target;
}

static bool exists(const char *name)
{
	struct stat st;

	return lstat(path_of(name), &st) == 0;
}

/* Runs a program with stdout and stderr into dir/said; the exit status. */
static int run(const char *const argv[])
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open(path_of("said"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

		if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
			_exit(120);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const char *generator(void)
{
	static char path[PATH_MAX];

	(void)snprintf(
		path, sizeof(path), "%s/narthex-generator", getenv("NARTHEX_BUILD") ?: "build");
	return path;
}

static int generate(void)
{
	char root[PATH_MAX];

	(void)snprintf(root, sizeof(root), "--root=%s", dir);
	return run((const char *[]){
		generator(), root, path_of("out"), path_of("early"), path_of("late"), NULL });
}

static int setup(void **state)
{
	static const char *const dirs[] = { "etc", "etc/narthex", "out", "early", "late" };

	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	if (!mkdtemp(dir))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdir(path_of(dirs[i]), 0755) < 0)
			return -1;
	return 0;
}

static int teardown(void **state)
{
	return run((const char *[]){ "rm", "-rf", dir, NULL });
}

static void test_a_container(void **state)
{
	static const char *const lines[] = {
		"\nDescription=Container web\n",
		"\nPartOf=machines.target\n",
		"\nBefore=machines.target\n",
		"\nType=notify\n",
		"\nNotifyAccess=all\n",
		"narthex-launch\" web\n",
		"narthex-launch\" --cleanup web\n",
		"\nKillMode=mixed\n",
		"\nDelegate=yes\n",
		"\nSlice=machine.slice\n",
		"\nRestart=on-failure\n",
		"\nDevicePolicy=closed\n",
		"\nDeviceAllow=char-pts rw\n",
		"\nDeviceAllow= \"/dev/no-such\" rw\n",
		"\nDeviceAllow= \"/dev/null\" r\n",
		"\nRequiresMountsFor= \"/var/lib/containers/web\" \"/srv/a\"\n",
	};
	const char *unit, *service;

	write_text("etc/narthex/web.conf",
		"[Files]\nBind=/srv/a\nBind=-/srv/b\n"
		"Bind=-/dev/no-such:/dev/a\nBindReadOnly=-/dev/null:/dev/b\nBind=-/dev/pts:/mnt\n"
		"[Service]\nMemoryMax=1G\nTimeoutStopSec=5\n"
		"[Unit]\nAfter=other.service\n");
	assert_int_equal(generate(), 0);
	assert_string_equal(content("said"), "");
	unit = content("out/container-web.service");
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!strstr(unit, lines[i]))
			fail_msg("no '%s' in: %s", lines[i], unit);
	assert_null(strstr(unit, "net/tun"));
	assert_null(strstr(unit, "\"/dev/pts\""));
	assert_null(strstr(unit, "DeviceAllow= \"/srv"));
	/* what was passed through comes last in its section, so that it counts */
	service = strstr(unit, "\n[Service]\n");
	assert_non_null(service);
	assert_true(strstr(unit, "After=other.service") < service);
	assert_non_null(strstr(service, "TimeoutStopSec=5\n"));
	assert_null(strstr(strstr(service, "TimeoutStopSec=5\n") + 1, "TimeoutStopSec="));
	assert_non_null(strstr(service, "MemoryMax=1G\n"));
	assert_false(exists("out/machines.target.wants"));
	assert_string_equal(content("early/container-web.service"), "");
}

static void test_links(void **state)
{
	write_text("etc/narthex/a.b-c.conf",
		"[Exec]\nAutoStart=yes\n[Install]\nWantedBy=x.target \"y.service\"\n"
		"RequiredBy=z.service\nAlias=web.service\n");
	assert_int_equal(generate(), 0);
	assert_string_equal(content("said"), "");
	assert_string_equal(link_of("out/machines.target.wants/container-a.b-c.service"),
		"../container-a.b-c.service");
	assert_true(exists("out/x.target.wants/container-a.b-c.service"));
	assert_true(exists("out/y.service.wants/container-a.b-c.service"));
	assert_true(exists("out/z.service.requires/container-a.b-c.service"));
	assert_string_equal(link_of("out/web.service"), "container-a.b-c.service");
	/* links that are already there are no error */
	assert_int_equal(generate(), 0);
	assert_string_equal(content("said"), "");
}

static void test_a_bad_file_hurts_only_itself(void **state)
{
	static const char *const kept[] = { "\nType=notify\n", "\nKillMode=mixed\n",
		"\nDelegate=yes\n", "\nDevicePolicy=closed\n", "--cleanup ",
		"\nRestartPreventExitStatus=78\n" };

	write_text("etc/narthex/bad.conf",
		"[Exec]\nAutoStart=yes\nBot=yes\n[Install]\nWantedBy=x.target\n[Service]\n"
		"MemoryMax=1G\nExecStartPre=/bin/a\nExecStart=\nExecStart=/bin/b\n");
	write_text("etc/narthex/good.conf", "");
	write_text("etc/narthex/-x.conf", "");
	write_text("etc/narthex/open.conf", "[Service]\nMemoryMax=1G\n");
	assert_int_equal(chmod(path_of("etc/narthex/open.conf"), 0666), 0);
	assert_int_equal(mkdir(path_of("etc/narthex/dir.conf"), 0755), 0);
	assert_int_equal(generate(), 0);
	assert_non_null(strstr(content("said"), "bad.conf:3: unknown key Bot="));
	assert_non_null(strstr(content("said"), "open.conf is not read"));
	assert_non_null(strstr(content("said"), "-x.conf is left out"));
	assert_non_null(strstr(content("out/container-good.service"), "Type=notify"));
	assert_non_null(strstr(content("out/container-bad.service"), "--refuse "));
	assert_non_null(strstr(content("out/container-open.service"), "--refuse "));
	/* one that runs keeps what its unit gives it; of a file that anybody writes, the defaults
	 */
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		assert_non_null(strstr(content("out/container-bad.service"), kept[i]));
		assert_non_null(strstr(content("out/container-open.service"), kept[i]));
	}
	assert_non_null(strstr(content("out/container-bad.service"), "\nMemoryMax=1G\n"));
	/* and nothing of it gets past the refusal */
	assert_non_null(strstr(strstr(content("out/container-bad.service"), "ExecStart=/bin/b\n"),
		"\nExecStartPre=\nExecStartPost=\nExecStart=\nExecStart=\""));
	assert_null(strstr(content("out/container-open.service"), "MemoryMax="));
	assert_false(exists("out/container--x.service"));
	assert_false(exists("out/machines.target.wants"));
	assert_false(exists("out/x.target.wants"));
	/* nothing but one that can't even have a unit */
	assert_int_equal(run((const char *[]){ "rm", "-rf", path_of("etc/narthex"), NULL }), 0);
	assert_int_equal(mkdir(path_of("etc/narthex"), 0755), 0);
	write_text("etc/narthex/-x.conf", "");
	assert_int_equal(generate(), 0);
}

static void test_refusal(void **state)
{
	const char *argv[] = { generator(), "--refuse", path_of("etc/narthex/bad.conf"), "bad",
		NULL };

	write_text("etc/narthex/bad.conf", "[Exec]\nBot=yes\n");
	assert_int_equal(run(argv), EX_CONFIG);
	assert_non_null(strstr(content("said"), "bad.conf:2: unknown key"));
	assert_non_null(strstr(content("said"), "container bad does not start"));
	/* corrected, but systemd has not read it yet: limits may be missing */
	argv[2] = path_of("etc/narthex/bad.conf");
	write_text("etc/narthex/bad.conf", "");
	assert_int_equal(run(argv), EX_CONFIG);
	assert_non_null(strstr(content("said"), "daemon-reload"));
}

static void test_machines_target(void **state)
{
	assert_int_equal(generate(), 0);
	assert_false(exists("late/machines.target"));
	write_text("etc/narthex/a.conf", "");
	assert_int_equal(generate(), 0);
	assert_non_null(strstr(content("late/machines.target"), "[Unit]"));
	assert_true(exists("late/multi-user.target.wants/machines.target"));
	/* the host has its own, be it a mask */
	(void)unlink(path_of("late/machines.target"));
	assert_int_equal(mkdir(path_of("etc/systemd"), 0755), 0);
	assert_int_equal(mkdir(path_of("etc/systemd/system"), 0755), 0);
	assert_int_equal(symlink("/dev/null", path_of("etc/systemd/system/machines.target")), 0);
	assert_int_equal(generate(), 0);
	assert_false(exists("late/machines.target"));
}

static void test_no_configuration(void **state)
{
	assert_int_equal(rmdir(path_of("etc/narthex")), 0);
	assert_int_equal(generate(), 0);
	assert_string_equal(content("said"), "");
}

static void test_usage(void **state)
{
	assert_int_equal(run((const char *[]){ generator(), NULL }), EX_USAGE);
	assert_int_equal(run((const char *[]){ generator(), "a", "b", NULL }), EX_USAGE);
	assert_int_equal(run((const char *[]){ generator(), "--nonsense", "a", NULL }), EX_USAGE);
	assert_int_equal(run((const char *[]){ generator(), "--version", NULL }), 0);
}

/* Specifiers, quotes and blanks in paths mean themselves. */
static void test_escaping(void **state)
{
	static const struct unit_programs programs = { "/opt/a b/$x%y\"z/narthex-launch", "/g",
		"/c d" };
	_cleanup_(config_done) struct container_config config = {};
	_cleanup_fclose_ FILE *f = NULL;
	const char *unit;

	assert_int_equal(config_default("x", &config), 0);
	assert_int_equal(config_set(&config, "here", "Files", "Root", "/srv/a b\"c%d'e\\f"), 0);
	f = fopen(path_of("unit"), "we");
	assert_non_null(f);
	unit_write(f, &config, false, "/etc/100%/x.conf", &programs);
	(void)fflush(f);
	unit = content("unit");
	assert_non_null(strstr(unit, "\nSourcePath=/etc/100%%/x.conf\n"));
	assert_non_null(strstr(unit, "\nRequiresMountsFor= \"/srv/a b\"'\"'\"c%%d'e\\f\"\n"));
	assert_non_null(strstr(unit, "\nExecStart=\"/opt/a b/$$x%%y\\\"z/narthex-launch\" x\n"));
	assert_non_null(strstr(unit, "\nExecReload=@\"/c d\" reload x\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_container, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_bad_file_hurts_only_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_machines_target, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_usage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_escaping, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
