/* SPDX-License-Identifier: MIT */

/* The guest's passwd(5), group(5) and locale: who is asked for, NUL, a group file, NUL, the other
 * files. */

#include "agent/account.h"
#include "agent/exec-user.h"
#include "cleanup.h"
#include "fuzz.h"
#include "host-tools/launch/guest-user.h"

static void check_users(const char *asked, const char *passwd, const char *group)
{
	struct exec_users users = { .passwd = passwd, .group = group };
	const struct exec_user *user, *again;

	if (exec_users_find(&users, asked, &user) == 0) {
		MUST(user->name[0] && user->home[0] == '/' && user->shell[0]);
		MUST(user->n_groups > 0 && user->groups[0] == user->gid);
		MUST(exec_users_find(&users, asked, &again) == 0 && again == user);
	}
	exec_users_done(&users);
}

static void check_guest_user(const char *asked, const char *passwd, const char *group)
{
	_cleanup_fclose_ FILE *p = fopen(passwd, "re"), *g = fopen(group, "re");
	struct guest_user user = {};

	MUST(p && g);
	if (guest_user_read(p, g, asked, &user) == 0)
		MUST(user.name[0] && user.home[0] == '/' && user.shell[0] && user.n_groups > 0);
	guest_user_done(&user);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *asked = fuzz_field(&data, &size), *group = fuzz_field(&data, &size), *lang;
	const char *group_file = fuzz_file(0, group, strlen(group));
	const char *passwd = fuzz_file(1, data, size);
	struct account account;

	check_users(asked, passwd, group_file);
	check_guest_user(asked, passwd, group_file);
	if (account_read_root(passwd, &account) == 0) {
		MUST(account.name[0] && account.home[0] == '/' && account.shell[0] == '/');
		account_done(&account);
	}
	lang = account_read_lang(passwd);
	MUST(!lang || !strpbrk(lang, "\"' \t\n"));
	free(lang);
	free(asked);
	free(group);
	return 0;
}
