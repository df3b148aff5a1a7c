/* SPDX-License-Identifier: MIT */
#include "host-tools/config/reload-plan.h"

#include "cleanup.h"
#include "host-tools/config/config-value.h"
#include "host-tools/config/reload-binds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A configuration of lines SECTION/KEY=VALUE, ended by NULL. */
static struct container_config make(const char *first, ...)
{
	struct container_config config;
	va_list ap;

	assert_int_equal(config_default("test", &config), 0);
	va_start(ap, first);
	for (const char *line = first; line; line = va_arg(ap, const char *))
		assert_int_equal(config_set_line(&config, "test", line), 0);
	va_end(ap);
	return config;
}

/* Compares, takes both, and gives the changes back as one text, "CLASS TEXT" a line. */
static char *plan_text(
	struct container_config running, struct container_config wanted, struct reload_plan *ret)
{
	static const char letters[] = { '?', 'R', 'M', 'U', 'N', 'H', 'B' };
	static char text[2048];
	struct reload_plan plan = {};
	size_t n = 0;

	assert_int_equal(reload_plan_make(&running, &wanted, true, "test", &plan), 0);
	text[0] = '\0';
	for (size_t i = 0; i < plan.n_changes; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%c %s\n",
			letters[plan.changes[i].class], plan.changes[i].text);
	config_done(&running);
	config_done(&wanted);
	if (ret)
		*ret = plan;
	else
		reload_plan_done(&plan);
	return text;
}

static void every_key_has_a_class(void **state)
{
	for (const struct config_key *k = config_keys; k->section; k++)
		if (reload_class(k->section, k->key) == RELOAD_UNKNOWN)
			fail_msg("[%s] %s= has no class in host-tools/config/reload-keys.c",
				k->section, k->key);
}

static void classes_go_by_section_and_whole_name(void **state)
{
	assert_int_equal(reload_class("Exec", "Hostname"), RELOAD_HOSTNAME);
	assert_int_equal(reload_class("Exec", "MachineID"), RELOAD_RESTART);
	assert_int_equal(reload_class("Files", "Hostname"), RELOAD_UNKNOWN);
	assert_int_equal(reload_class("Exec", "Host"), RELOAD_UNKNOWN);
	assert_int_equal(reload_class("Exec", "name"), RELOAD_UNKNOWN);
	assert_int_equal(reload_class("Exec", "AutoStart"), RELOAD_UNIT);
}

static void nothing_has_changed(void **state)
{
	assert_string_equal(plan_text(make("Exec/Hostname=a", "Files/Bind=/a:/b", NULL),
				    make("Files/Bind=/a:/b", "Exec/Hostname=a", NULL), NULL),
		"");
}

static void changes_are_told_with_what_was(void **state)
{
	assert_string_equal(
		plan_text(make("Exec/Hostname=a", "Exec/KillSignal=TERM", NULL),
			make("Exec/Hostname=b", "Exec/MachineID=00000000000000000000000000000001",
				NULL),
			NULL),
		"H [Exec] Hostname=b (was a)\n"
		"R [Exec] MachineID=00000000000000000000000000000001\n"
		"M [Exec] KillSignal=TERM removed\n");
}

static void lists_are_told_line_by_line(void **state)
{
	assert_string_equal(plan_text(make("Exec/Environment=A=1", "Exec/Environment=B=1", NULL),
				    make("Exec/Environment=B=1", "Exec/Environment=C=1",
					    "Exec/Environment=D=1", NULL),
				    NULL),
		"R [Exec] Environment=C=1\n"
		"R [Exec] Environment=D=1\n"
		"R [Exec] Environment=A=1 removed\n");
}

static void what_was_taken_back_does_not_count(void **state)
{
	assert_string_equal(plan_text(make("Exec/Hostname=b", NULL),
				    make("Exec/Hostname=a", "Exec/MachineID=", "Exec/Hostname=",
					    "Exec/Hostname=b", NULL),
				    NULL),
		"");
}

/* all but its last digit */
#define ID "0000000000000000000000000000000"

static void what_needs_a_restart_is_not_merged(void **state)
{
	struct reload_plan plan, again = {};

	(void)plan_text(make("Exec/MachineID=" ID "1", "Exec/KillSignal=TERM", NULL),
		make("Exec/MachineID=" ID "2", "Exec/KillSignal=INT", NULL), &plan);
	assert_string_equal(plan.merged.machine_id, ID "1");
	assert_int_equal(plan.merged.kill_signal, 2);
	/* and is found again */
	{
		struct container_config wanted =
			make("Exec/MachineID=" ID "2", "Exec/KillSignal=INT", NULL);

		assert_int_equal(reload_plan_make(&plan.merged, &wanted, true, "test", &again), 0);
		assert_int_equal(again.n_changes, 1);
		assert_string_equal(
			again.changes[0].text, "[Exec] MachineID=" ID "2 (was " ID "1)");
		config_done(&wanted);
	}
	reload_plan_done(&again);
	reload_plan_done(&plan);
}

static void what_waits_and_is_removed_stays(void **state)
{
	struct reload_plan plan;

	(void)plan_text(make("Exec/Environment=A=1", "Exec/Environment=B=1", NULL),
		make("Exec/Environment=B=1", "Exec/Environment=C=1", NULL), &plan);
	assert_string_equal(plan.merged.environment[0], "A=1");
	assert_string_equal(plan.merged.environment[1], "B=1");
	assert_null(plan.merged.environment[2]);
	reload_plan_done(&plan);
}

static void a_network_of_its_own_needs_a_restart(void **state)
{
	struct reload_plan plan;

	assert_string_equal(
		plan_text(make(NULL, NULL),
			make("Network/HostAddress=10.0.0.1", "Network/LocalAddress=10.0.0.2", NULL),
			&plan),
		"R [Network] HostAddress=10.0.0.1\n"
		"R [Network] LocalAddress=10.0.0.2\n");
	assert_false(plan.merged.private_network);
	reload_plan_done(&plan);
}

static void a_device_needs_a_restart(void **state)
{
	struct reload_plan plan;

	assert_string_equal(plan_text(make("Files/Bind=/dev/zero", NULL),
				    make("Files/Bind=/dev/null", NULL), &plan),
		"R [Files] Bind=/dev/null (was /dev/zero)\n");
	assert_int_equal(plan.merged.n_binds, 1);
	assert_string_equal(plan.merged.binds[0].source, "/dev/zero");
	reload_plan_done(&plan);
}

static void set_unit(struct container_config *config, enum unit_section section, const char *text)
{
	free(config->unit_text[section]);
	config->unit_text[section] = strdup(text);
	assert_non_null(config->unit_text[section]);
}

static void the_unit_is_systemds(void **state)
{
	struct container_config running = make(NULL, NULL), wanted = make(NULL, NULL);

	set_unit(&running, UNIT_SERVICE, "MemoryMax=1G\nTasksMax=10\nNice=1\n");
	set_unit(&wanted, UNIT_SERVICE, "TasksMax=100\nMemoryMax=1G\nNice=2\n");
	set_unit(&wanted, UNIT_UNIT, "After=a.service\n");
	assert_string_equal(plan_text(running, wanted, NULL), "U [Unit] After=a.service\n"
							      "U [Service] TasksMax=100\n"
							      "R [Service] Nice=2\n"
							      "U [Service] TasksMax=10 removed\n"
							      "R [Service] Nice=1 removed\n");
}

static void a_container_without_a_unit_has_no_use_for_it(void **state)
{
	struct container_config running = make(NULL, NULL), wanted = make(NULL, NULL);
	struct reload_plan plan;

	set_unit(&wanted, UNIT_SERVICE, "MemoryMax=1G\n");
	assert_int_equal(reload_plan_make(&running, &wanted, false, "test", &plan), 0);
	assert_int_equal(plan.n_changes, 0);
	reload_plan_done(&plan);
	config_done(&running);
	config_done(&wanted);
}

static void some_keys_of_a_service_are_live(void **state)
{
	assert_true(reload_service_key_is_live("MemoryMax=1G"));
	assert_true(reload_service_key_is_live("CPUQuota"));
	assert_true(reload_service_key_is_live("RestartSec"));
	assert_false(reload_service_key_is_live("CPUSchedulingPolicy"));
	assert_false(reload_service_key_is_live("LimitNOFILE"));
	assert_false(reload_service_key_is_live("Environment"));
}

/* --- binds ------------------------------------------------------------------------------------ */

/* missing: the index of the running one that has no mount; -1: all have one. */
static void match_without(int missing, struct container_config running,
	struct container_config wanted, size_t n, const int *want)
{
	_cleanup_free_ int *got = NULL, *mounts = calloc(running.n_binds + 1, sizeof(*mounts));

	assert_non_null(mounts);
	if (missing >= 0)
		mounts[missing] = -EBADF;
	assert_int_equal(binds_match(&running, &wanted, mounts, &got), 0);
	assert_int_equal(wanted.n_binds, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(got[i], want[i]);
	config_done(&running);
	config_done(&wanted);
}

static void match(
	struct container_config running, struct container_config wanted, size_t n, const int *want)
{
	match_without(-1, running, wanted, n, want);
}

static void binds_that_stay_are_found(void **state)
{
	match(make("Files/Bind=/a", "Files/BindReadOnly=/b", "Files/Bind=/c:/d", NULL),
		make("Files/BindReadOnly=/c:/d", "Files/Bind=/e", "Files/Bind=/a", NULL), 3,
		(int[]){ -1, -1, 0 });
}

static void a_bind_below_a_change_is_mounted_again(void **state)
{
	match(make("Files/Bind=/a:/mnt/a", "Files/Bind=/b:/mntb", NULL),
		make("Files/Bind=/new:/mnt", "Files/Bind=/a:/mnt/a", "Files/Bind=/b:/mntb", NULL),
		3, (int[]){ -1, -1, 1 });
	match(make("Files/Bind=/old:/mnt", "Files/Bind=/a:/mnt/a", "Files/Bind=/b:/mnt/a/b", NULL),
		make("Files/Bind=/a:/mnt/a", "Files/Bind=/b:/mnt/a/b", NULL), 2, (int[]){ -1, -1 });
}

static void a_bind_that_may_be_missing_no_more_is_mounted(void **state)
{
	match_without(0, make("Files/Bind=-/a:/mnt", "Files/Bind=/b:/mnt/b", NULL),
		make("Files/Bind=/a:/mnt", "Files/Bind=/b:/mnt/b", NULL), 2, (int[]){ -1, -1 });
	match_without(0, make("Files/Bind=-/a:/mnt", "Files/Bind=/b:/mnt/b", NULL),
		make("Files/Bind=-/a:/mnt", "Files/Bind=/b:/mnt/b", NULL), 2, (int[]){ 0, 1 });
	match(make("Files/Bind=-/a:/mnt", NULL), make("Files/Bind=/a:/mnt", NULL), 1, (int[]){ 0 });
	/* one that isn't live was mounted at the start, and stays */
	match_without(0, make("Files/Bind=-/dev/zero", NULL), make("Files/Bind=/dev/zero", NULL), 1,
		(int[]){ 0 });
}

/* What the container is shown is the launcher's in both: its text only is another. */
static void resolvers_that_are_shown_change(void **state)
{
	assert_string_equal(plan_text(make("Exec/ResolvConf=bind-host", NULL),
				    make("Exec/ResolvConf=bind-uplink", NULL), NULL),
		"M [Exec] ResolvConf=bind-uplink (was bind-host)\n");
	assert_string_equal(plan_text(make("Exec/ResolvConf=bind-host", NULL),
				    make("Exec/ResolvConf=copy-host", NULL), NULL),
		"R [Exec] ResolvConf=copy-host (was bind-host)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_has_a_class),
		cmocka_unit_test(classes_go_by_section_and_whole_name),
		cmocka_unit_test(nothing_has_changed),
		cmocka_unit_test(changes_are_told_with_what_was),
		cmocka_unit_test(lists_are_told_line_by_line),
		cmocka_unit_test(what_was_taken_back_does_not_count),
		cmocka_unit_test(what_needs_a_restart_is_not_merged),
		cmocka_unit_test(resolvers_that_are_shown_change),
		cmocka_unit_test(what_waits_and_is_removed_stays),
		cmocka_unit_test(a_network_of_its_own_needs_a_restart),
		cmocka_unit_test(a_device_needs_a_restart),
		cmocka_unit_test(the_unit_is_systemds),
		cmocka_unit_test(a_container_without_a_unit_has_no_use_for_it),
		cmocka_unit_test(some_keys_of_a_service_are_live),
		cmocka_unit_test(binds_that_stay_are_found),
		cmocka_unit_test(a_bind_below_a_change_is_mounted_again),
		cmocka_unit_test(a_bind_that_may_be_missing_no_more_is_mounted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
