/* SPDX-License-Identifier: MIT */

#include "host-tools/launch/hosts.h"

#include "cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BEGIN "# narthex: containers, written by their launchers\n"
#define END "# narthex: end\n"
#define OWN "127.0.0.1 localhost\n::1 localhost\n"
#define WEB "10.9.0.2 web.containers\nfd09::2 web.containers\n"
#define DB "10.9.0.3 db.containers\n"

static void edited(const char *text, const char *name, const char *lines, const char *wanted)
{
	_cleanup_free_ char *out = NULL;

	assert_int_equal(hosts_edit(text, name, lines, &out), 0);
	assert_string_equal(out, wanted);
}

static void comes_and_goes(void **state)
{
	edited(OWN, "web", WEB, OWN BEGIN WEB END);
	edited(OWN BEGIN WEB END, "web", "", OWN);
	edited(OWN BEGIN WEB END, "db", DB, OWN BEGIN WEB DB END);
	edited(OWN BEGIN WEB DB END, "web", "", OWN BEGIN DB END);
	/* another address */
	edited(OWN BEGIN WEB DB END, "web", "10.9.9.9 web.containers\n",
		OWN BEGIN DB "10.9.9.9 web.containers\n" END);
	edited("", "web", WEB, BEGIN WEB END);
	edited(BEGIN WEB END, "web", "", "");
	edited(OWN, "web", "", OWN);
}

static void what_is_around_stays(void **state)
{
	edited("a\n" BEGIN WEB END "b\n", "web", "", "a\nb\n");
	edited("a\n" BEGIN DB END "b", "web", WEB, "a\n" BEGIN DB WEB END "b");
	/* a last line without its end */
	edited("a", "web", WEB, "a\n" BEGIN WEB END);
	edited("a", "web", "", "a");
	/* not in the block: somebody else's */
	edited(OWN "10.9.0.2 web.containers\n", "web", "", OWN "10.9.0.2 web.containers\n");
}

static void names_are_whole(void **state)
{
	edited(OWN BEGIN "10.9.0.4 xweb.containers\n10.9.0.5 web.x.containers\n" WEB END, "web", "",
		OWN BEGIN "10.9.0.4 xweb.containers\n10.9.0.5 web.x.containers\n" END);
}

/* Somebody has removed the end, or written into the block: his lines are not ours to remove. */
static void broken_block(void **state)
{
	edited(BEGIN WEB "192.0.2.1 mine\n", "web", "", "192.0.2.1 mine\n");
	edited(BEGIN WEB "192.0.2.1 mine\n" END, "web", "", "192.0.2.1 mine\n" END);
	edited(BEGIN, "web", WEB, BEGIN WEB END);
	edited(BEGIN DB "192.0.2.1 mine\n", "web", WEB, BEGIN DB WEB END "192.0.2.1 mine\n");
	edited(BEGIN "10.9.0.2 web.containers", "web", "", "10.9.0.2 web.containers");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_and_goes),
		cmocka_unit_test(what_is_around_stays),
		cmocka_unit_test(names_are_whole),
		cmocka_unit_test(broken_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
