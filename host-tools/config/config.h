/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * /etc/narthex/NAME.conf and its drop-ins NAME.conf.d/ANY.conf (read in the order of their names,
 * after the file): the syntax of systemd.syntax(7), the keys of systemd.nspawn(5) and ours.
 */

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_DIR "/etc/narthex"
#define CONTAINERS_DIR "/var/lib/containers"

enum private_users {
	PRIVATE_USERS_PICK,  /* a range of its own, from the name's hash: the default */
	PRIVATE_USERS_FIXED, /* PrivateUsers=BASE[:COUNT] */
	PRIVATE_USERS_NO,
};

/* How many kinds of limits, and processors, there can be. */
#define CONFIG_LIMITS 16
#define CONFIG_LIMIT_INFINITY UINT64_MAX /* the kernel's RLIM_INFINITY */
#define CONFIG_CPUS_MAX 1024
#define CONFIG_PERSONALITY_HOST (-1L) /* as the launcher's */

/* Limit*=, as setrlimit(2) takes it */
struct config_limit {
	bool written;
	uint64_t soft, hard;
};

struct config_cpus {
	bool written;
	uint64_t bits[CONFIG_CPUS_MAX / 64];
};

/* RestrictAddressFamilies= */
struct config_families {
	bool restricted; /* whether there is such a line */
	bool allow;	 /* those listed are the open ones, or all others are */
	uint64_t listed; /* 1 << AF_… */
};

enum tristate { NO = 0, YES = 1, AUTO = -1 };

/* Bind=, BindReadOnly= */
/* Who owns in the container what lies on the host (systemd.nspawn(5), Bind=). */
enum bind_ids {
	BIND_IDS_HOST,	/* :noidmap — the host's users, who are nobody inside */
	BIND_IDS_SAME,	/* :idmap — the container's users of the same numbers */
	BIND_IDS_ROOT,	/* :rootidmap — the source's owner is the container's root */
	BIND_IDS_OWNER, /* :owneridmap — the source's owner is the owner of the target */
};

struct config_bind {
	char *source;	/* on the host, absolute */
	char *target;	/* in the container, absolute */
	bool inside;	/* source began with "+": it is in the container */
	bool temporary; /* an empty directory that goes with the container; source is "" */
	bool read_only;
	bool recursive; /* default; :norbind clears it */
	bool optional;	/* source began with "-": skipped when it doesn't exist */
	enum bind_ids ids;
};

/* TemporaryFileSystem=PATH[:OPTIONS] */
struct config_tmpfs {
	char *target;
	/*
	 * NULL for none, else a comma-separated list of size=, nr_blocks=, nr_inodes=, mode=, uid=,
	 * gid=, huge= and of ro, rw, exec, noexec, suid, nosuid, dev, nodev, atime, noatime,
	 * relatime, strictatime, diratime, nodiratime; nothing else.
	 */
	char *options;
};

/* Overlay=, OverlayReadOnly= */
struct config_overlay {
	/* lowest first, NULL-terminated; "+/PATH" is in the container, "" (the last) temporary */
	char **layers;
	char *target;
	bool read_only;
};

#define CONFIG_LAYERS_MAX 10

/* Volatile= */
enum volatile_mode {
	VOLATILE_NO,
	VOLATILE_YES,	  /* an empty root, with the tree's /usr */
	VOLATILE_STATE,	  /* a read-only tree with an empty /var */
	VOLATILE_OVERLAY, /* the tree, with changes that are forgotten */
};

/* PrivateUsersOwnership= */
enum ownership {
	OWNERSHIP_MAP, /* the disk has the container's ids, and the mount shifts them */
	OWNERSHIP_OFF, /* the disk has the ids that the container's are on the host */
};

/* Timezone=: what becomes of /etc/localtime */
enum timezone_mode {
	TIMEZONE_OFF,
	TIMEZONE_COPY,
	TIMEZONE_BIND,
	TIMEZONE_SYMLINK,
	TIMEZONE_DELETE,
	TIMEZONE_AUTO,
};

/* ResolvConf=: what becomes of /etc/resolv.conf */
enum resolv_action {
	RESOLV_AUTO, /* the host's, if the container has none and an address from us */
	RESOLV_OFF,
	RESOLV_COPY,	/* at each start, unless it is a link */
	RESOLV_REPLACE, /* and then, too */
	RESOLV_BIND,
	RESOLV_DELETE,
};
enum resolv_source { RESOLV_HOST, RESOLV_STATIC, RESOLV_UPLINK, RESOLV_STUB };

/* LinkJournal= */
enum link_journal {
	LINK_JOURNAL_NO,
	LINK_JOURNAL_HOST,     /* the journal lies on the host */
	LINK_JOURNAL_TRY_HOST, /* where the host keeps one on disk */
	LINK_JOURNAL_AUTO,     /* where it lay there before */
};

/* An IPv4 or IPv6 address with the prefix length that was written (32 or 128 when none was). */
struct config_address {
	int family; /* AF_INET, AF_INET6; 0: not set */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
	uint8_t prefix;
};

enum config_link_kind {
	LINK_UNDECLARED, /* there is a [Link NAME], and no key that makes the link */
	LINK_VETH,	 /* VirtualEthernetExtra= */
	LINK_MACVLAN,
	LINK_IPVLAN,
	LINK_INTERFACE, /* Interface=: one of the host's, for as long as the container runs */
};

/*
 * A link of the container besides the one of [Network]; all but its kind and names are from
 * [Link NAME].
 */
struct config_link {
	enum config_link_kind kind;
	bool has_section;     /* there is a [Link NAME] */
	char guest[IFNAMSIZ]; /* its name inside, the NAME */
	char host[IFNAMSIZ];  /* the host's end; MACVLAN=, IPVLAN=: the interface below;
			       * Interface=: its name on the host */
	struct config_address host_address, local_address, host_address6, local_address6;
	struct config_address gateway, gateway6;
	char bridge[IFNAMSIZ]; /* "" for none */
	bool is_zone;	       /* bridge is a zone's */
	uint8_t mac_address[6];
	uint32_t mtu;  /* 0: the kernel's */
	uint32_t vlan; /* of the port of a bridge that filters VLANs; 0: as the bridge has it */
};

/* Port=[tcp:|udp:][ADDRESS][%INTERFACE:]HOST[:GUEST] */
struct config_port {
	bool udp;
	struct config_address
		address;	  /* family 0: any of the host's; all zero: any of its family */
	char interface[IFNAMSIZ]; /* "": any */
	uint16_t host, guest;
};

/* [Unit], [Service] and [Install] are kept as text for the generator. */
enum unit_section { UNIT_UNIT, UNIT_SERVICE, UNIT_INSTALL, UNIT_SECTION_MAX_ };

struct container_config {
	char *name;

	/* [Exec] */
	char *path; /* Path=: a NixOS system or profile, NULL for none */
	bool auto_start;
	bool ephemeral;
	bool boot;	   /* default yes; no: parameters are a command, run as PID 1, */
	bool process_two;  /* or, with ProcessTwo=yes, as PID 2 under narthex-init */
	char **parameters; /* Parameters=: arguments of the init, or the command; NULL-terminated */
	char **environment; /* K=V, NULL-terminated */
	char *hostname;	    /* NULL: the name */
	char *machine_id;   /* 32 hex digits; NULL: derived */
	char *working_directory;
	char **switch_command;	  /* SwitchCommand=, NULL-terminated; NULL: what is usual */
	uint64_t capability_keep; /* Capability=: bits added to the default bounding set */
	uint64_t capability_drop; /* DropCapability= */
	uint64_t capability_ambient;
	char *user;			   /* User= of a command; NULL: root */
	char *pivot_root, *pivot_root_old; /* PivotRoot=NEW:OLD, in the tree; NULL for none */
	bool no_new_privileges;
	long personality;			   /* of personality(2) */
	struct config_limit limits[CONFIG_LIMITS]; /* by RLIMIT_* */
	bool oom_score_adjust_written;
	int oom_score_adjust;
	struct config_cpus cpu_affinity;
	bool suppress_sync;
	struct config_families address_families; /* RestrictAddressFamilies= */
	enum timezone_mode timezone;
	enum resolv_action resolv_action;
	enum resolv_source resolv_source;
	enum link_journal link_journal;
	char **system_calls; /* SystemCallFilter=: "+NAME" or "~NAME" each, NULL-terminated */
	enum private_users private_users;
	uint32_t uid_base, uid_count; /* for PRIVATE_USERS_FIXED; count defaults to 65536 */
	enum tristate notify_ready;   /* AUTO: yes for an init that is systemd */
	int kill_signal;	      /* 0: by init */

	/* [Files] */
	char *root;  /* default CONTAINERS_DIR/NAME */
	char *store; /* NULL: none; default /nix/store where there is one; Store=no for none */
	bool per_container_nix;
	bool nix_daemon; /* NixDaemon= */
	struct config_bind *binds;
	size_t n_binds;
	struct config_tmpfs *tmpfs;
	size_t n_tmpfs;
	struct config_overlay *overlays;
	size_t n_overlays;
	char **inaccessible; /* NULL-terminated */
	char **bind_users;   /* names, NULL-terminated */
	bool read_only;
	enum volatile_mode volatile_mode;
	enum ownership ownership;

	/* [Network] */
	bool private_network; /* Private=, or implied by any key below */
	bool veth;	      /* VirtualEthernet=, or implied by an address */
	struct config_address host_address, local_address, host_address6, local_address6;
	uint8_t mac_address[6]; /* MACAddress=, of the guest's end; all zero: derived from the name
				 */

	struct config_address gateway, gateway6; /* Gateway=, Gateway6= */
	char bridge[IFNAMSIZ];			 /* Bridge=, "" for none; */
	char zone[IFNAMSIZ];			 /* Zone=, without the "vz-" of its bridge */
	uint32_t mtu;				 /* of both ends of eth0; 0: the kernel's */
	uint32_t vlan;				 /* VLAN= of the port of Bridge=, 0 for none */
	bool nspawn_names;	   /* Naming=nspawn, or a .nspawn file: host0, ve-NAME, vb-NAME */
	struct config_link *links; /* the other links, in the order of their first mention */
	size_t n_links;
	char *namespace_path; /* NamespacePath=: a network namespace to join; NULL: none */

	struct config_port *ports; /* Port= */
	size_t n_ports;
	bool masquerade; /* Masquerade= */
	bool hosts;	 /* Hosts= */

	/* every assignment as it was written, SECTION/KEY=VALUE: narthex-network reads those of
	 * [Network] and [Link NAME] again, a reload compares all of them */
	char **lines;

	/* text of the sections that go into the unit, "" when empty */
	char *unit_text[UNIT_SECTION_MAX_];

	/* what was written, AUTO for nothing: boot, private_network and veth follow from these */
	enum tristate boot_written, private_written, veth_written;
};

/*
 * Reads a container's configuration, CONFIG_DIR/NAME.conf or file, and the drop-ins in the
 * directory beside it with ".d" at its end (no file at all is -ENOENT). Every error is logged as
 * "FILE:LINE: what is wrong and what to do", all of them, not only the first; the caller needs no
 * message of its own. Files that somebody else than root or the caller could have written are
 * refused (-EPERM), those inside a container's tree too: a guest's root owns files there that look
 * like the host's root's. 0, or -errno with nothing in *ret (-EINVAL: the text is wrong). Includes
 * config_check().
 */
int config_load(const char *name, const char *file, struct container_config *ret);

/* The same, but of a text that is wrong *ret has what is right; of a file that isn't to be read,
 * the defaults. Caller: config_done(), whatever is returned. */
int config_load_usable(const char *name, const char *file, struct container_config *ret);

/* What config_read_settings() hands on of each right line. 0 or -errno, which ends the reading. */
typedef int config_line(void *userdata, const char *section, const char *key, const char *value);

/*
 * Reads one more file, a .nspawn file, into a configuration that has its defaults and its Root=;
 * each may be NULL. As config_load(), but without drop-ins, config_check(), and sections for a
 * unit.
 */
int config_read_settings(
	struct container_config *config, const char *file, config_line *each, void *userdata);

/*
 * /etc/systemd/nspawn/NAME.nspawn, or the one in /run. *ret: caller frees. 0, -ENOENT when there is
 * none, or -ENOMEM. Doesn't log.
 */
int config_find_nspawn_file(const char *name, char **ret);

/* The NAME of [DIRECTORY/]NAME.conf. *ret: caller frees. 0, -EINVAL or -ENOMEM. Doesn't log. */
int config_file_name(const char *file, char **ret);

/* A configuration with every default for name, as if its file were empty. 0 or -ENOMEM. */
int config_default(const char *name, struct container_config *ret);

/*
 * Sets one key as a line of a file would; for the options of `narthex run` and narthex-launch.
 * where: named in the error ("--bind"). Logs. 0 or -errno.
 */
int config_set(struct container_config *config, const char *where, const char *section,
	const char *key, const char *value);

/* The same of one text: SECTION/KEY=VALUE, or SECTION.KEY=VALUE as options have it. */
int config_set_line(struct container_config *config, const char *where, const char *line);

/* What no single key can know: keys that need or exclude each other. Logs. 0 or -EINVAL. */
int config_check(const struct container_config *config, const char *where);

/* The name inside of the link that [Network] itself describes: eth0, or systemd-nspawn's host0. */
const char *config_main_link_name(const struct container_config *config);

/* The host's path that a bind shows; NULL for one of the container's own, or a temporary one. */
const char *config_bind_source(const struct config_bind *bind);

/* The host's directory that the container writes to through an overlay; NULL for none. */
const char *config_overlay_upper(const struct config_overlay *overlay);

/* Whether the container can't write to its root itself. */
bool config_root_is_read_only(const struct container_config *config);

/* Whether the root is made anew for each start, and not the tree itself. */
bool config_root_is_temporary(const struct container_config *config);

/*
 * The default bounding set of a payload, as a bit mask of capabilities(7). private_network adds
 * CAP_NET_ADMIN and its kind, which then reach the guest's own namespace only.
 */
uint64_t config_default_capabilities(bool private_network);

/* The bounding set that config leaves. */
uint64_t config_capabilities(const struct container_config *config);

/* The address families it leaves open: a mask of 1 << AF_…. */
uint64_t config_address_families(const struct container_config *config);

/* "CAP_A, CAP_B" for a message; cut where size ends. */
void config_capability_names(uint64_t set, char *text, size_t size);

/* Whether a port is taken on every address of the host, or of one family. */
bool config_port_is_any(const struct config_port *port);

/* Whether something that arrives at the host could be meant for both. */
bool config_ports_meet(const struct config_port *a, const struct config_port *b);

/* Whether ports lead to whatever address the container has: Port= without LocalAddress=. */
bool config_ports_follow(const struct container_config *config);

/* "tcp:[::1]%lo:8080", the host's side of a port. Returns text. */
#define CONFIG_PORT_TEXT_SIZE 96
const char *config_port_text(const struct config_port *port, char text[CONFIG_PORT_TEXT_SIZE]);

/* Frees what config owns and leaves the null state. NULL is fine. */
void config_done(struct container_config *config);
