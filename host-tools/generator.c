/* SPDX-License-Identifier: MIT */

/* narthex-generator: /etc/narthex/NAME.conf becomes container-NAME.service. systemd.generator(7) */

#include "cleanup.h"
#include "config/config-value.h"
#include "config/config.h"
#include "log.h"
#include "name.h"
#include "program.h"
#include "unit.h"

#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

/*
 * Theory of operation
 *
 * Each NAME.conf is taken by itself: what is wrong with one leads to a message and to a unit that
 * refuses to start and says why, and to nothing else. Links for AutoStart= and [Install] are made
 * here, because systemctl doesn't enable generated units. All output goes to the normal directory,
 * so that a unit of the same name in /etc wins; only machines.target goes to the late one, where
 * every other wins.
 */

struct output {
	const char *normal_dir, *late_dir;
	const char *root; /* prefix of /etc/narthex and of the places of units: "" but in tests */
	struct unit_programs programs;
};

static int write_file(const char *dir, const char *name, FILE **ret_file)
{
	_cleanup_free_ char *path = NULL;
	FILE *f;

	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	f = fopen(path, "we");
	if (!f)
		return -errno;
	*ret_file = f;
	return 0;
}

/* Closes *f, which may be NULL. 0 or -errno, of any write since it was opened. */
static int finish_file(FILE **f)
{
	FILE *closing = TAKE_PTR(*f);
	int failed = ferror(closing);

	if (fclose(closing) != 0)
		return -errno;
	return failed ? -EIO : 0;
}

/* dir/PARENT.wants/UNIT -> ../UNIT; suffix: "wants" or "requires". */
static int link_dependency(
	const char *dir, const char *parent, const char *suffix, const char *unit)
{
	_cleanup_free_ char *parent_dir = NULL, *link = NULL, *target = NULL;

	if (asprintf(&parent_dir, "%s/%s.%s", dir, parent, suffix) < 0) {
		parent_dir = NULL;
		return -ENOMEM;
	}
	if (asprintf(&link, "%s/%s", parent_dir, unit) < 0) {
		link = NULL;
		return -ENOMEM;
	}
	if (asprintf(&target, "../%s", unit) < 0) {
		target = NULL;
		return -ENOMEM;
	}
	if (mkdir(parent_dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	return symlink(target, link) < 0 && errno != EEXIST ? -errno : 0;
}

static int link_alias(const char *dir, const char *alias, const char *unit)
{
	_cleanup_free_ char *link = NULL;

	if (asprintf(&link, "%s/%s", dir, alias) < 0) {
		link = NULL;
		return -ENOMEM;
	}
	return symlink(unit, link) < 0 && errno != EEXIST ? -errno : 0;
}

/* One line of [Install], which config_load() has checked. line: "Key=words", is changed. */
static int install_line(const struct output *output, const char *unit, char *line)
{
	struct config_value value = { .text = line };
	const char *key = strsep((char **)&value.text, "=");
	char **words = NULL;
	int r = config_split(&value, &words);

	for (char **word = words; r == 0 && word && *word; word++) {
		if (strcmp(key, "Alias") == 0)
			r = link_alias(output->normal_dir, *word, unit);
		else
			r = link_dependency(output->normal_dir, *word,
				strcmp(key, "WantedBy") == 0 ? "wants" : "requires", unit);
	}
	config_list_free(words);
	return r;
}

static int install(
	const struct output *output, const struct container_config *config, const char *unit)
{
	_cleanup_free_ char *text = strdup(config->unit_text[UNIT_INSTALL]);
	char *rest = text, *line;
	int r = text ? 0 : -ENOMEM;

	if (r == 0 && config->auto_start)
		r = link_dependency(output->normal_dir, "machines.target", "wants", unit);
	while (r == 0 && (line = strsep(&rest, "\n")))
		if (*line)
			r = install_line(output, unit, line);
	return r;
}

static int generate_container(const struct output *output, const char *name, const char *file)
{
	_cleanup_(config_done) struct container_config config = {};
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *unit = NULL;
	int r, wrong;

	wrong = config_load_usable(name, file, &config);
	if (!config.name)
		return -ENOMEM;
	if (asprintf(&unit, "container-%s.service", name) < 0) {
		unit = NULL;
		return -ENOMEM;
	}
	r = write_file(output->normal_dir, unit, &f);
	if (r < 0)
		return r;
	unit_write(f, &config, wrong < 0, file, &output->programs);
	r = finish_file(&f);
	if (r == 0 && wrong == 0)
		r = install(output, &config, unit);
	return r;
}

static int is_configuration(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

static int generate_entry(const struct output *output, const char *dir, const char *entry)
{
	_cleanup_free_ char *name = strndup(entry, strlen(entry) - 5), *file = NULL;
	const char *why;
	int r;

	if (asprintf(&file, "%s/%s", dir, entry) < 0)
		file = NULL;
	if (!name || !file)
		return log_errno(-ENOMEM, "cannot make a unit of %s", entry);
	if (!name_is_valid(name, &why)) {
		log_error("%s is left out: %s", file, why);
		return -EINVAL;
	}
	r = generate_container(output, name, file);
	return r < 0 ? log_errno(r, "cannot make a unit of %s", file) : 0;
}

/* Whether the host has a machines.target: systemd's own, or a mask of it. */
static bool machines_target_exists(const char *root)
{
	static const char *const places[] = { "/etc/systemd/system", "/run/systemd/system",
		"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *path = NULL;
		struct stat st;

		if (asprintf(&path, "%s%s/machines.target", root, places[i]) < 0) {
			path = NULL;
			return true;
		}
		if (lstat(path, &st) == 0)
			return true;
	}
	return false;
}

static int generate_machines_target(const struct output *output)
{
	_cleanup_fclose_ FILE *f = NULL;
	int r;

	if (machines_target_exists(output->root))
		return 0;
	r = write_file(output->late_dir, "machines.target", &f);
	if (r == 0) {
		unit_write_machines_target(f);
		r = finish_file(&f);
	}
	if (r == 0)
		r = link_dependency(
			output->late_dir, "multi-user.target", "wants", "machines.target");
	return r < 0 ? log_errno(r, "cannot write machines.target") : 0;
}

static int generate(const struct output *output)
{
	_cleanup_free_ char *dir = NULL;
	struct dirent **entries;
	int n, r = 0;

	if (asprintf(&dir, "%s" CONFIG_DIR, output->root) < 0) {
		dir = NULL;
		return -ENOMEM;
	}
	n = scandir(dir, &entries, is_configuration, NULL);
	if (n < 0)
		return errno == ENOENT ? 0 : log_errno(-errno, "cannot read %s", dir);
	if (n > 0)
		r = generate_machines_target(output);
	for (int i = 0; i < n; i++) {
		/* one container's trouble is not another's, nor the generator's */
		(void)generate_entry(output, dir, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* ExecStart= of a container whose configuration was wrong. Never succeeds. */
static int refuse(const char *file, const char *name)
{
	struct container_config config;

	if (config_load(name, file, &config) == 0) {
		config_done(&config);
		log_error("%s was wrong when systemd read it and is right now: run 'systemctl "
			  "daemon-reload' and start container %s again",
			file, name);
	} else {
		log_error("container %s does not start: correct its configuration, then run "
			  "'systemctl daemon-reload'",
			name);
	}
	return EX_CONFIG;
}

static int usage(FILE *f, int status)
{
	fputs("Usage: narthex-generator [--root=DIR] NORMAL-DIR [EARLY-DIR LATE-DIR]\n"
	      "       narthex-generator --refuse FILE NAME\n\n"
	      "Makes units of /etc/narthex/*.conf; systemd runs it. See narthex-generator(8).\n\n"
	      "  --root=DIR   read DIR/etc/narthex instead of /etc/narthex\n"
	      "  --refuse     say what is wrong with FILE and fail\n"
	      "  --help       show this text\n"
	      "  --version    show the version\n",
		f);
	return status;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "root", required_argument, NULL, 'r' },
		{ "refuse", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{},
	};
	_cleanup_free_ char *launcher = NULL, *ctl = NULL, *generator = NULL;
	struct output output = { .root = "" };
	bool refusing = false;
	int c;

	log_init("narthex-generator");
	if (getenv("SYSTEMD_SCOPE"))
		log_use_kmsg();
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
		switch (c) {
		case 'r':
			output.root = optarg;
			break;
		case 'f':
			refusing = true;
			break;
		case 'h':
			return usage(stdout, 0);
		case 'V':
			puts("narthex-generator " NARTHEX_VERSION);
			return 0;
		default:
			return usage(stderr, EX_USAGE);
		}
	argc -= optind;
	argv += optind;
	if (refusing)
		return argc == 2 ? refuse(argv[0], argv[1]) : usage(stderr, EX_USAGE);
	if (argc != 1 && argc != 3)
		return usage(stderr, EX_USAGE);
	output.normal_dir = argv[0];
	output.late_dir = argv[argc - 1];
	if (program_find("narthex-launch", &launcher) < 0 ||
		program_find("narthex-ctl", &ctl) < 0 ||
		!(generator = realpath("/proc/self/exe", NULL))) {
		log_errno(-errno, "cannot find the programs of narthex");
		return EXIT_FAILURE;
	}
	output.programs =
		(struct unit_programs){ .launcher = launcher, .generator = generator, .ctl = ctl };
	return generate(&output) < 0 ? EXIT_FAILURE : 0;
}
