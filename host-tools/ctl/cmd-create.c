/* SPDX-License-Identifier: MIT */

/*
 * narthex create.
 *
 * First all that can be known to be wrong; then the tree, under a name that nothing starts; last
 * and quickly, under a lock that all creates share, the addresses, the tree's name and the
 * configuration. Until the last step has succeeded, everything is taken back.
 */

#include "../config/config-value.h"
#include "../config/config.h"
#include "../name.h"
#include "address-pool.h"
#include "bus.h"
#include "cleanup.h"
#include "ctl.h"
#include "escape.h"
#include "fd.h"
#include "from-nspawn.h"
#include "interrupt.h"
#include "log.h"
#include "new-tree.h"
#include "profile.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

const struct verb_option create_options[] = {
	{ "root", "DIR", "Files.Root", .help = "use the tree that is in DIR" },
	{ "from", "TARBALL", NULL, .help = "unpack a tar archive, compressed or not" },
	{ "bootstrap", "SUITE", NULL,
		.help = "install a Debian SUITE by mmdebstrap or debootstrap" },
	{ "mirror", "URL", NULL, .help = "from this mirror" },
	{ "from-nspawn", "MACHINE", NULL,
		.help = "use a machine of systemd-nspawn's, with its .nspawn file" },
	{ "path", "SYSTEM", "Exec.Path", .help = "boot this NixOS system, on an empty tree" },
	{ "private-network", "auto|HOST,LOCAL", NULL,
		.help = "a network of its own, with these addresses" },
	{ "auto-start", NULL, "Exec.AutoStart", .help = "start it when the host boots" },
	{ "ephemeral", NULL, "Exec.Ephemeral",
		.help = "forget all changes to the tree at each stop" },
	{ "private-users", "WHICH", "Exec.PrivateUsers", .help = "pick, BASE[:COUNT], or no" },
	{ "hostname", "NAME", "Exec.Hostname", .help = "the container's host name" },
	{ "bind", "SRC[:DST[:OPTS]]", "Files.Bind", .help = "show a host's path inside" },
	{ "bind-ro", "SRC[:DST[:OPTS]]", "Files.BindReadOnly", .help = "the same, read-only" },
	{ "tmpfs", "PATH[:OPTIONS]", "Files.TemporaryFileSystem",
		.help = "an empty tmpfs on PATH" },
	{},
};

#define SETTINGS_MAX 128
#define STORE "/nix/store/"

struct create {
	const char *name;
	const char *from, *bootstrap, *mirror;
	char *root; /* of --root, without links */
	bool auto_addresses;
	unsigned sources;
	struct setting {
		const char *option, *setting, *value; /* "bind", "SECTION.KEY" */
	} settings[SETTINGS_MAX];
	size_t n_settings;
	struct setting *system;				       /* of --path; NULL: none */
	char profile[sizeof(PROFILES_DIR) + NAME_MAX_LEN + 1]; /* made for it; "": none */
	struct container_config config;			       /* what the settings amount to */
	int confs;					       /* CONFIG_DIR */
	char conf[NAME_MAX_LEN + sizeof(".conf")], temporary[NAME_MAX_LEN + sizeof("..conf.new")];
};

/* --- what was asked for -------------------------------------------------------------------- */

/* What a line of the file can hold as it is. */
static bool fits_a_line(const char *value)
{
	size_t n = strlen(value);

	return n > 0 && text_is_plain(value, n) && !strchr(" \t", value[0]) &&
	       !strchr(" \t\\", value[n - 1]);
}

static int add_setting(
	struct create *create, const char *option, const char *setting, const char *value)
{
	if (!fits_a_line(value)) {
		log_error("create: --%s: this value can't be written to a file", option);
		return STATUS_USAGE;
	}
	if (create->n_settings == SETTINGS_MAX) {
		log_error("create: more than %d settings: write %s/%s.conf by hand", SETTINGS_MAX,
			CONFIG_DIR, create->name ?: "NAME");
		return STATUS_USAGE;
	}
	create->settings[create->n_settings++] = (struct setting){ option, setting, value };
	return 0;
}

static int set_network(struct create *create, const char *arg)
{
	const char *comma = strchr(arg, ',');
	char *host;
	int status;

	if (strcmp(arg, "auto") == 0) {
		create->auto_addresses = true;
		return 0;
	}
	if (!comma) {
		log_error("create: --private-network=%s: say auto, or HOST,LOCAL", arg);
		return STATUS_USAGE;
	}
	host = strndup(arg, (size_t)(comma - arg));
	if (!host) {
		log_errno(-ENOMEM, "create");
		return STATUS_FAILED;
	}
	status = add_setting(create, "private-network", "Network.HostAddress", host);
	return status != 0
		       ? status
		       : add_setting(create, "private-network", "Network.LocalAddress", comma + 1);
}

/* option, arg: where path comes from. */
static int set_root(struct create *create, const char *path, const char *option, const char *arg)
{
	create->root = realpath(path, NULL);
	if (!create->root) {
		log_errno(-errno, "create: --%s=%s: cannot use %s", option, arg, path);
		return STATUS_FAILED;
	}
	return add_setting(create, "root", "Files.Root", create->root);
}

/* An empty value takes back what was there of its kind, and is not written. */
static int add_nspawn_setting(void *userdata, const char *setting, const char *value)
{
	struct create *create = userdata;
	size_t kept = 0;

	if (*value)
		return add_setting(create, "from-nspawn", setting, value) != 0 ? -EINVAL : 0;
	for (size_t i = 0; i < create->n_settings; i++)
		if (strcmp(create->settings[i].setting, setting) != 0)
			create->settings[kept++] = create->settings[i];
	create->n_settings = kept;
	return 0;
}

static int set_machine(struct create *create, const char *machine)
{
	char tree[sizeof(MACHINES_DIR) + NAME_MAX_LEN + 1];
	const char *why;
	int status;

	if (!name_is_valid(machine, &why)) {
		log_error("create: --from-nspawn=%s: %s", machine, why);
		return STATUS_USAGE;
	}
	(void)snprintf(tree, sizeof(tree), MACHINES_DIR "/%s", machine);
	status = set_root(create, tree, "from-nspawn", machine);
	if (status != 0)
		return status;
	return from_nspawn(machine, create->root, add_nspawn_setting, create) < 0 ? STATUS_FAILED
										  : 0;
}

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	struct create *create = userdata;
	const char *name = option->name;

	if (strcmp(name, "root") == 0 || strcmp(name, "from") == 0 ||
		strcmp(name, "bootstrap") == 0 || strcmp(name, "path") == 0 ||
		strcmp(name, "from-nspawn") == 0)
		create->sources++;
	if (strcmp(name, "root") == 0)
		return set_root(create, arg, name, arg);
	if (strcmp(name, "from-nspawn") == 0)
		return set_machine(create, arg);
	if (strcmp(name, "private-network") == 0)
		return set_network(create, arg);
	if (strcmp(name, "path") == 0)
		create->system = &create->settings[create->n_settings];
	if (option->setting)
		return add_setting(create, name, option->setting, arg ?: "yes");
	if (strcmp(name, "from") == 0)
		create->from = arg;
	else if (strcmp(name, "bootstrap") == 0)
		create->bootstrap = arg;
	else
		create->mirror = arg;
	return 0;
}

/* Every setting through the parser that reads the file later. Logs. */
static int check_settings(struct create *create)
{
	char where[80];
	int r = config_default(create->name, &create->config);

	for (size_t i = 0; r == 0 && i < create->n_settings; i++) {
		const struct setting *s = &create->settings[i];
		_cleanup_free_ char *line = NULL;

		if (asprintf(&line, "%s=%s", s->setting, s->value) < 0)
			return log_errno(-ENOMEM, "create");
		(void)snprintf(where, sizeof(where), "create: --%s", s->option);
		r = config_set_line(&create->config, where, line);
	}
	if (r == 0)
		r = config_check(&create->config, "create");
	return r;
}

static int check_request(struct create *create)
{
	const char *why;
	struct stat st;

	if (!name_is_valid(create->name, &why)) {
		log_error("create: '%s' can't be a container's name: %s", create->name, why);
		return STATUS_USAGE;
	}
	if (create->sources != 1) {
		log_error("create: %s --root, --from, --from-nspawn, --bootstrap and --path",
			create->sources ? "give only one of"
					: "where is the tree to come from? give one of");
		return STATUS_USAGE;
	}
	if (create->mirror && !create->bootstrap) {
		log_error("create: --mirror goes with --bootstrap only");
		return STATUS_USAGE;
	}
	if (check_settings(create) < 0)
		return STATUS_USAGE;
	if (create->root && (stat(create->root, &st) < 0 || !S_ISDIR(st.st_mode))) {
		log_error("create: %s is not a directory: unpack an archive with --from",
			create->root);
		return STATUS_FAILED;
	}
	if (geteuid() != 0) {
		log_error("create: only root can create containers");
		return STATUS_FAILED;
	}
	return 0;
}

/* --- addresses ----------------------------------------------------------------------------- */

/* What other containers and this host have. Logs. */
static int look_around(struct address_pool *pool)
{
	int r = pool_take_configurations(pool, CONFIG_DIR);

	if (r == 0)
		r = pool_take_host(pool, "/proc/net/route");
	return r < 0 ? log_errno(r, "create: cannot tell which addresses are in use") : 0;
}

/* Fills in free addresses, or says which of the given ones isn't. ret_*: text. Logs. */
static int choose_addresses(
	struct create *create, char ret_host[INET_ADDRSTRLEN], char ret_local[INET_ADDRSTRLEN])
{
	const struct config_address *given = &create->config.local_address;
	struct address_pool pool = {};
	struct in_addr host, local;
	int r = look_around(&pool);

	if (r == 0 && create->auto_addresses) {
		r = pool_pick(&pool, create->name, &host, &local);
		if (r < 0)
			log_error("create: no address of %s is free, by the configurations in %s, "
				  "this host's interfaces and its routes: give "
				  "--private-network=HOST,LOCAL",
				POOL_NETWORK, CONFIG_DIR);
		else if (!inet_ntop(AF_INET, &host, ret_host, INET_ADDRSTRLEN) ||
			 !inet_ntop(AF_INET, &local, ret_local, INET_ADDRSTRLEN))
			r = -errno;
	} else if (r == 0 && given->family == AF_INET && pool_is_assigned(&pool, given->v4)) {
		log_error("create: the address for the container is in use already, by another "
			  "configuration or on this host");
		r = -EADDRINUSE;
	}
	pool_done(&pool);
	return r;
}

/* --- the configuration --------------------------------------------------------------------- */

static int open_confs(void)
{
	int fd;

	if (mkdir(CONFIG_DIR, 0755) < 0 && errno != EEXIST)
		return log_errno(-errno, "create: cannot make %s", CONFIG_DIR);
	fd = open(CONFIG_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? log_errno(-errno, "create: cannot open %s", CONFIG_DIR) : fd;
}

static int refuse_existing(const struct create *create)
{
	struct stat st;

	if (fstatat(create->confs, create->conf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	log_error("create: container '%s' is there already (%s/%s)", create->name, CONFIG_DIR,
		create->conf);
	return -EEXIST;
}

static int format_conf(const struct create *create, const char *host, const char *local, char **ret)
{
	static const char *const sections[] = { "Exec", "Files", "Network" };
	size_t size;
	FILE *f = open_memstream(ret, &size);

	if (!f)
		return -ENOMEM;
	(void)fputs("# made by 'narthex create'; see narthex.conf(5)\n", f);
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		bool pair = *host && strcmp(sections[i], "Network") == 0, begun = pair;
		size_t n = strlen(sections[i]);

		if (pair)
			(void)fprintf(
				f, "\n[Network]\nHostAddress=%s\nLocalAddress=%s\n", host, local);
		for (size_t j = 0; j < create->n_settings; j++) {
			const struct setting *s = &create->settings[j];

			if (strncmp(s->setting, sections[i], n) != 0 || s->setting[n] != '.')
				continue;
			if (!begun)
				(void)fprintf(f, "\n[%s]\n", sections[i]);
			begun = true;
			(void)fprintf(f, "%s=%s\n", s->setting + n + 1, s->value);
		}
	}
	if (fclose(f) == 0)
		return 0;
	free(*ret);
	return -ENOMEM;
}

/* Writes it under a temporary name, and reads it as the launcher will. Logs. */
static int write_conf(const struct create *create, const char *text)
{
	struct container_config config;
	_cleanup_close_ int fd = -EBADF;
	char path[sizeof(CONFIG_DIR) + sizeof(create->temporary) + 1];
	int r;

	(void)unlinkat(create->confs, create->temporary, 0);
	fd = openat(create->confs, create->temporary,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	r = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
	if (r == 0 && (fchmod(fd, 0644) < 0 || fsync(fd) < 0))
		r = -errno;
	if (r < 0)
		return log_errno(r, "create: cannot write %s/%s", CONFIG_DIR, create->temporary);
	(void)snprintf(path, sizeof(path), CONFIG_DIR "/%s", create->temporary);
	r = config_load(create->name, path, &config);
	if (r == 0)
		config_done(&config);
	return r;
}

/* Everything that other creates must not do at the same time. Logs. */
static int publish_locked(const struct create *create, struct new_tree *tree)
{
	char host[INET_ADDRSTRLEN] = "", local[INET_ADDRSTRLEN] = "";
	_cleanup_free_ char *text = NULL;
	int r = choose_addresses((struct create *)create, host, local);

	if (r == 0) {
		r = format_conf(create, host, local, &text);
		if (r < 0)
			log_errno(r, "create");
	}
	if (r == 0)
		r = write_conf(create, text);
	if (r == 0 && tree->fd >= 0)
		r = new_tree_publish(tree);
	if (r == 0 && interrupt_caught())
		r = -EINTR;
	if (r == 0 && renameat2(create->confs, create->temporary, create->confs, create->conf,
			      RENAME_NOREPLACE) < 0)
		r = log_errno(-errno, "create: cannot make %s/%s", CONFIG_DIR, create->conf);
	if (r < 0)
		(void)unlinkat(create->confs, create->temporary, 0);
	return r;
}

static int publish(const struct create *create, struct new_tree *tree)
{
	int r;

	while (flock(create->confs, LOCK_EX) < 0)
		if (errno != EINTR || interrupt_caught())
			return errno == EINTR
				       ? -EINTR
				       : log_errno(-errno, "create: cannot lock %s", CONFIG_DIR);
	r = publish_locked(create, tree);
	(void)flock(create->confs, LOCK_UN);
	return r;
}

/*
 * A system of the store gets a profile, which holds it and which `narthex switch` can move on.
 * Where there is no Nix, or the path is somebody's profile already, it is written down as it is.
 */
static int make_profile(struct create *create)
{
	_cleanup_(profile_done) struct profile before = {};
	int r;

	if (!create->system || !nix_is_here() ||
		strncmp(create->system->value, STORE, strlen(STORE)) != 0)
		return 0;
	if (profile_name_is_generation(create->name)) {
		log_error("create: a container with a profile can't be named '%s': Nix names the "
			  "generations of another one so; choose another name",
			create->name);
		return -EINVAL;
	}
	(void)snprintf(create->profile, sizeof(create->profile), PROFILES_DIR "/%s", create->name);
	r = profile_read(create->profile, &before);
	if (r < 0)
		log_errno(r, "create: cannot read profile %s", create->profile);
	if (r == 0 && before.n > 0) {
		log_error("create: there is a profile %s already: give it as --path=, or remove it "
			  "and its generations",
			create->profile);
		r = -EEXIST;
	}
	if (r < 0) {
		create->profile[0] = '\0'; /* not ours to remove */
		return r;
	}
	r = profile_set("create", create->profile, create->system->value);
	create->system->value = create->profile;
	return r;
}

/* --- all of it ----------------------------------------------------------------------------- */

static int make_tree(const struct create *create, struct new_tree *tree)
{
	int r = new_tree_begin(create->name, tree);

	if (r == 0 && create->from)
		r = new_tree_unpack(tree, create->from);
	else if (r == 0 && create->bootstrap)
		r = new_tree_bootstrap(tree, create->bootstrap, create->mirror);
	if (r == 0 && interrupt_caught())
		r = -EINTR;
	return r;
}

static void reload(void)
{
	sd_bus *bus = NULL;

	/* without systemd there is nobody to tell; whatever fails has been logged */
	if (!bus_is_possible() || bus_open(&bus) < 0)
		return;
	(void)bus_reload(bus);
	sd_bus_flush_close_unref(bus);
}

static int create_container(struct create *create)
{
	char host[INET_ADDRSTRLEN], local[INET_ADDRSTRLEN];
	struct new_tree tree = NEW_TREE_NULL;
	int r;

	(void)snprintf(create->conf, sizeof(create->conf), "%s.conf", create->name);
	(void)snprintf(create->temporary, sizeof(create->temporary), ".%s.conf.new", create->name);
	create->confs = open_confs();
	r = create->confs < 0 ? create->confs : refuse_existing(create);
	/* again later, under the lock; but nobody likes to hear of it after an hour's work */
	if (r == 0)
		r = choose_addresses(create, host, local);
	if (r == 0 && !create->root)
		r = make_tree(create, &tree);
	if (r == 0)
		r = make_profile(create);
	if (r == 0)
		r = publish(create, &tree);
	new_tree_end(&tree, r == 0);
	if (r < 0 && create->profile[0])
		(void)profile_remove("create", create->name);
	close_fdp(&create->confs);
	return r;
}

int cmd_create(const struct verb *verb, int argc, char **argv)
{
	/* static: what its settings point to lives as long as we do */
	static struct create create = { .confs = -EBADF };
	int first, r, status = verb_parse(verb, argc, argv, on_option, &create, &first);

	if (status >= 0)
		return status;
	if (argc - first != 1)
		return verb_usage(verb);
	create.name = argv[first];
	status = check_request(&create);
	if (status == 0) {
		interrupt_catch();
		r = create_container(&create);
		if (r == -EINTR)
			interrupt_die(interrupt_caught());
		if (r == 0)
			reload();
		status = r < 0 ? STATUS_FAILED : 0;
	}
	config_done(&create.config);
	return status;
}
