/* SPDX-License-Identifier: MIT */

/* The values of [Exec] that are attributes of a process: user, limits, processors … */

#include "../nearest.h"
#include "cleanup.h"
#include "config-value.h"

#include <assert.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/personality.h>
#include <sys/resource.h>

static_assert(CONFIG_LIMITS == RLIM_NLIMITS, "a place for each of the kernel's limits");

#define OOM_SCORE_ADJUST_MAX 1000 /* proc(5) */
#define USEC_PER_SEC UINT64_C(1000000)

int config_parse_user(struct config_value *value)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-$";
	const char *text = value->text;
	char **field = value->field, *copy = NULL;

	if (*text == '-' || text[strspn(text, allowed)] != '\0' || strlen(text) > 256)
		return config_refuse(value, "not the name or the number of a user");
	if (*text) {
		copy = strdup(text);
		if (!copy)
			return -ENOMEM;
	}
	free(*field);
	*field = copy;
	return 0;
}

int config_parse_pivot_root(struct config_value *value)
{
	struct container_config *config = value->config;
	const char *colon = strchr(value->text, ':');
	_cleanup_free_ char *first = strndup(value->text, strcspn(value->text, ":"));
	_cleanup_free_ char *new_root = NULL, *old_root = NULL;
	int r;

	if (!first)
		return -ENOMEM;
	r = *value->text ? config_clean_path(value, first, &new_root) : 0;
	if (r == 0 && colon)
		r = config_clean_path(value, colon + 1, &old_root);
	if (r < 0)
		return r;
	if (new_root && strcmp(new_root, "/") == 0)
		return config_refuse(value, "/ is the root already: name a directory in the tree");
	if (old_root && strcmp(old_root, "/") == 0)
		return config_refuse(value, "the old root can't be at / of the new one");
	free(config->pivot_root);
	free(config->pivot_root_old);
	config->pivot_root = TAKE_PTR(new_root);
	config->pivot_root_old = TAKE_PTR(old_root);
	return 0;
}

int config_parse_ambient_capabilities(struct config_value *value)
{
	/* a set of its own: "all" is what a Capability= may say, but not this */
	_cleanup_free_ char *copy = strdup(value->text);
	char *rest = copy, *word;

	if (!copy)
		return -ENOMEM;
	while ((word = strsep(&rest, " \t\"'")))
		if (strcasecmp(word, "all") == 0)
			return config_refuse(value, "'all' is not possible: name each capability");
	return config_parse_capabilities(value);
}

static const struct {
	const char *name;
	long personality;
} personalities[] = {
#if defined(__x86_64__)
	{ "x86-64", PER_LINUX },
	{ "x86", PER_LINUX32 },
#elif defined(__aarch64__)
	{ "arm64", PER_LINUX },
	{ "arm", PER_LINUX32 },
#elif defined(__riscv) && __riscv_xlen == 64
	{ "riscv64", PER_LINUX },
#endif
};

int config_parse_personality(struct config_value *value)
{
	long *field = value->field;
	char known[64] = "";

	if (*value->text == '\0') {
		*field = CONFIG_PERSONALITY_HOST;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(personalities); i++) {
		size_t n = strlen(known);

		if (strcmp(value->text, personalities[i].name) == 0) {
			*field = personalities[i].personality;
			return 0;
		}
		(void)snprintf(known + n, sizeof(known) - n, "%s%s", n > 0 ? " or " : "",
			personalities[i].name);
	}
	return config_refuse(value, "on this machine it is %s", known);
}

int config_parse_oom_score_adjust(struct config_value *value)
{
	struct container_config *config = value->config;
	bool negative = *value->text == '-';
	uint64_t number;

	if (*value->text == '\0') {
		config->oom_score_adjust_written = false;
		config->oom_score_adjust = 0;
		return 0;
	}
	if (config_number(value->text + negative, OOM_SCORE_ADJUST_MAX, &number) < 0)
		return config_refuse(value, "must be a number of -%d to %d", OOM_SCORE_ADJUST_MAX,
			OOM_SCORE_ADJUST_MAX);
	config->oom_score_adjust_written = true;
	config->oom_score_adjust = negative ? -(int)number : (int)number;
	return 0;
}

/* --- CPUAffinity= -------------------------------------------------------------------------- */

/* "3" or "2-5" into the set. */
static int take_cpus(struct config_value *value, const char *word, struct config_cpus *cpus)
{
	const char *dash = strchr(word, '-');
	char first_text[16];
	uint64_t first, last;

	(void)snprintf(first_text, sizeof(first_text), "%.*s", (int)strcspn(word, "-"), word);
	if (config_number(first_text, CONFIG_CPUS_MAX - 1, &first) < 0)
		return config_refuse(value, "'%s' is no processor, nor a range like 0-3", word);
	last = first;
	if (dash && (config_number(dash + 1, CONFIG_CPUS_MAX - 1, &last) < 0 || last < first))
		return config_refuse(value, "'%s' is no range: write FIRST-LAST, like 0-3", word);
	for (uint64_t cpu = first; cpu <= last; cpu++)
		cpus->bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
	cpus->written = true;
	return 0;
}

int config_parse_cpu_affinity(struct config_value *value)
{
	struct config_cpus *field = value->field, cpus = *field;
	_cleanup_free_ char *copy = strdup(value->text);
	char *rest = copy, *word;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	if (*value->text == '\0')
		cpus = (struct config_cpus){};
	while (r == 0 && (word = strsep(&rest, ", \t")))
		if (*word)
			r = take_cpus(value, word, &cpus);
	if (r == 0)
		*field = cpus;
	return r;
}

/* --- Limit*= ------------------------------------------------------------------------------- */

enum limit_unit { LIMIT_COUNT, LIMIT_BYTES, LIMIT_SECONDS, LIMIT_MICROSECONDS, LIMIT_NICENESS };

static enum limit_unit limit_unit(size_t resource)
{
	switch (resource) {
	case RLIMIT_FSIZE:
	case RLIMIT_DATA:
	case RLIMIT_STACK:
	case RLIMIT_CORE:
	case RLIMIT_RSS:
	case RLIMIT_AS:
	case RLIMIT_MEMLOCK:
	case RLIMIT_MSGQUEUE:
		return LIMIT_BYTES;
	case RLIMIT_CPU:
		return LIMIT_SECONDS;
	case RLIMIT_RTTIME:
		return LIMIT_MICROSECONDS;
	case RLIMIT_NICE:
		return LIMIT_NICENESS;
	default:
		return LIMIT_COUNT;
	}
}

/* What follows digits is looked up; "" is among the units. */
struct unit_of_measure {
	const char *name;
	uint64_t factor;
};

static const struct unit_of_measure byte_units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "K", UINT64_C(1) << 10 },
	{ "M", UINT64_C(1) << 20 },
	{ "G", UINT64_C(1) << 30 },
	{ "T", UINT64_C(1) << 40 },
	{ "P", UINT64_C(1) << 50 },
	{},
};

/* in microseconds; "" is left to the key */
static const struct unit_of_measure time_units[] = {
	{ "us", 1 },
	{ "usec", 1 },
	{ "ms", 1000 },
	{ "msec", 1000 },
	{ "s", USEC_PER_SEC },
	{ "sec", USEC_PER_SEC },
	{ "m", 60 * USEC_PER_SEC },
	{ "min", 60 * USEC_PER_SEC },
	{ "h", 3600 * USEC_PER_SEC },
	{ "hr", 3600 * USEC_PER_SEC },
	{ "d", 24 * 3600 * USEC_PER_SEC },
	{ "day", 24 * 3600 * USEC_PER_SEC },
	{ "w", 7 * 24 * 3600 * USEC_PER_SEC },
	{ "week", 7 * 24 * 3600 * USEC_PER_SEC },
	{},
};

/* Takes "20min" off *p. 0 or -EINVAL. */
static int take_amount(
	const char **p, const struct unit_of_measure *units, uint64_t bare, uint64_t *ret)
{
	size_t digits = strspn(*p, "0123456789"), letters;
	char number[24], unit[8];
	uint64_t amount, factor = 0;

	letters = strcspn(*p + digits, "0123456789 \t");
	if (digits == 0 || digits >= sizeof(number) || letters >= sizeof(unit))
		return -EINVAL;
	(void)snprintf(number, sizeof(number), "%.*s", (int)digits, *p);
	(void)snprintf(unit, sizeof(unit), "%.*s", (int)letters, *p + digits);
	if (letters == 0)
		factor = bare;
	for (const struct unit_of_measure *u = units; factor == 0 && u->name; u++)
		if (strcmp(u->name, unit) == 0)
			factor = u->factor;
	if (factor == 0 || config_number(number, UINT64_MAX / factor, &amount) < 0)
		return -EINVAL;
	*p += digits + letters;
	*p += strspn(*p, " \t");
	*ret = amount * factor;
	return 0;
}

/* "1min 30s", in microseconds; a bare number is of the given ones. */
static int read_time(const char *text, uint64_t bare, uint64_t *ret)
{
	uint64_t sum = 0, amount = 0;

	do {
		if (take_amount(&text, time_units, bare, &amount) < 0 || sum + amount < sum)
			return -EINVAL;
		sum += amount;
	} while (*text);
	*ret = sum;
	return 0;
}

/* "+5" and "-5" are levels of niceness, a bare number is what the kernel has for them: 20 minus
 * the level. */
static int read_niceness(const char *text, uint64_t *ret)
{
	uint64_t number;

	if (*text != '+' && *text != '-')
		return config_number(text, 40, ret);
	if (config_number(text + 1, *text == '+' ? 19 : 20, &number) < 0)
		return -EINVAL;
	*ret = *text == '+' ? 20 - number : 20 + number;
	return 0;
}

static int read_limit(enum limit_unit unit, const char *text, uint64_t *ret)
{
	uint64_t usec;
	int r;

	if (strcmp(text, "infinity") == 0) {
		*ret = CONFIG_LIMIT_INFINITY;
		return 0;
	}
	switch (unit) {
	case LIMIT_COUNT:
		return config_number(text, CONFIG_LIMIT_INFINITY - 1, ret);
	case LIMIT_BYTES:
		r = take_amount(&text, byte_units, 1, ret);
		return r < 0 || *text ? -EINVAL : 0;
	case LIMIT_SECONDS:
		r = read_time(text, USEC_PER_SEC, &usec);
		if (r == 0) /* never less than was said */
			*ret = usec / USEC_PER_SEC + (usec % USEC_PER_SEC != 0);
		return r;
	case LIMIT_MICROSECONDS:
		return read_time(text, 1, ret);
	case LIMIT_NICENESS:
		return read_niceness(text, ret);
	}
	return -EINVAL;
}

int config_parse_limit(struct config_value *value)
{
	static const char *const what[] = {
		[LIMIT_COUNT] = "a number",
		[LIMIT_BYTES] = "a number of bytes, like 64M",
		[LIMIT_SECONDS] = "a number of seconds, or a time like 2min",
		[LIMIT_MICROSECONDS] = "a number of microseconds, or a time like 200ms",
		[LIMIT_NICENESS] = "a level of -20 to +19 with its sign, or 0 to 40",
	};
	struct config_limit *field = value->field, limit = { .written = true };
	enum limit_unit unit = limit_unit((size_t)(field - value->config->limits));
	const char *colon = strchr(value->text, ':');
	_cleanup_free_ char *soft = strndup(value->text, strcspn(value->text, ":"));

	if (!soft)
		return -ENOMEM;
	if (*value->text == '\0') {
		*field = (struct config_limit){};
		return 0;
	}
	if (read_limit(unit, soft, &limit.soft) < 0 ||
		read_limit(unit, colon ? colon + 1 : soft, &limit.hard) < 0)
		return config_refuse(
			value, "must be LIMIT or SOFT:HARD, each %s, or infinity", what[unit]);
	if (limit.soft > limit.hard)
		return config_refuse(value, "the soft limit is above the hard one");
	*field = limit;
	return 0;
}
