/* SPDX-License-Identifier: MIT */

/*
 * org.freedesktop.machine1(5). The machine is in the unit of its container already, and machined
 * keeps it there ("register" as opposed to "create"). A name can be taken: by this container's
 * guest before its reboot, or by a machine whose leader is gone while its unit lives on. Both are
 * released. A living stranger keeps it.
 */

#include "register-machine.h"

#include "../name.h"
#include "bus.h"
#include "cleanup.h"
#include "log.h"

#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>

#define DESTINATION "org.freedesktop.machine1"
#define MANAGER_PATH "/org/freedesktop/machine1"
#define MANAGER "org.freedesktop.machine1.Manager"
#define MACHINE "org.freedesktop.machine1.Machine"
#define ATTEMPTS 3

struct machine {
	const char *name, *root;
	pid_t leader;
	unsigned char id[16];
};

static bool has_ended(int pidfd)
{
	struct pollfd fd = { .fd = pidfd, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

/* 32 hex digits. */
static int parse_id(const char *text, unsigned char ret[16])
{
	if (strlen(text) != 32)
		return -EINVAL;
	for (size_t i = 0; i < 16; i++)
		if (sscanf(text + 2 * i, "%2hhx", &ret[i]) != 1)
			return -EINVAL;
	return 0;
}

static int append_interfaces(sd_bus_message *message, const char *name)
{
	static const char *const prefixes[] = { NAME_PREFIX, "ve-", "vb-" };
	char interface[IFNAMSIZ], altname[ALTNAME_SIZE];
	int index = 0;

	for (size_t i = 0; index == 0 && i < ARRAY_SIZE(prefixes); i++) {
		(void)name_interface(prefixes[i], name, interface, altname);
		index = (int)if_nametoindex(interface);
	}
	return sd_bus_message_append_array(message, 'i', &index, index > 0 ? sizeof(index) : 0);
}

static int call_register(sd_bus *bus, const struct machine *machine, sd_bus_error *error)
{
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_method_call(
		bus, &message, DESTINATION, MANAGER_PATH, MANAGER, "RegisterMachineWithNetwork");

	if (r >= 0)
		r = sd_bus_message_append(message, "s", machine->name);
	if (r >= 0)
		r = sd_bus_message_append_array(message, 'y', machine->id, sizeof(machine->id));
	if (r >= 0)
		r = sd_bus_message_append(message, "ssus", "narthex", "container",
			(uint32_t)machine->leader, machine->root);
	if (r >= 0)
		r = append_interfaces(message, machine->name);
	if (r >= 0)
		r = sd_bus_call(bus, message, 0, error, NULL);
	sd_bus_message_unref(message);
	return r;
}

static int call_unregister(sd_bus *bus, const char *name)
{
	return sd_bus_call_method(bus, DESTINATION, MANAGER_PATH, MANAGER, "UnregisterMachine",
		NULL, NULL, "s", name);
}

/* A zombie counts: nobody can walk into it. */
static bool is_dead(pid_t pid)
{
	_cleanup_close_ int fd = pidfd_open(pid, 0);

	return fd < 0 ? errno == ESRCH : has_ended(fd);
}

/* Whether the machine that has the name may be removed: ours of old, or a dead one. */
static int is_stale(sd_bus *bus, const char *name)
{
	_cleanup_free_ char *unit = NULL;
	sd_bus_message *reply = NULL;
	char own_unit[UNIT_NAME_SIZE];
	uint32_t leader = 0;
	const char *path;
	int r = sd_bus_call_method(
		bus, DESTINATION, MANAGER_PATH, MANAGER, "GetMachine", NULL, &reply, "s", name);

	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r >= 0)
		r = sd_bus_get_property_string(
			bus, DESTINATION, path, MACHINE, "Unit", NULL, &unit);
	if (r >= 0)
		r = sd_bus_get_property_trivial(
			bus, DESTINATION, path, MACHINE, "Leader", NULL, 'u', &leader);
	sd_bus_message_unref(reply);
	if (r < 0)
		return r;
	unit_name(name, own_unit);
	return strcmp(unit, own_unit) == 0 || (leader > 0 && is_dead((pid_t)leader));
}

/* Frees the name. 0 when it is free; -EEXIST, logged: a stranger has it. */
static int release_name(sd_bus *bus, const char *name)
{
	int r = is_stale(bus, name);

	if (r == 0) {
		log_warning("container '%s' is not registered with systemd-machined, which knows "
			    "another machine of this name",
			name);
		return -EEXIST;
	}
	if (r > 0)
		(void)call_unregister(bus, name);
	/* it may have gone by itself: the next attempt tells */
	return 0;
}

/* There is no machined on this host. */
static bool is_absent(const sd_bus_error *error)
{
	return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
	       sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
	       sd_bus_error_has_name(error, "org.freedesktop.systemd1.NoSuchUnit") ||
	       sd_bus_error_has_name(error, "org.freedesktop.systemd1.UnitMasked");
}

/* 0: registered, or there is nobody to register with. Logs. */
static int enroll(sd_bus *bus, const struct machine *machine)
{
	int r = -EAGAIN;

	for (int i = 0; i < ATTEMPTS; i++) {
		sd_bus_error error = SD_BUS_ERROR_NULL;
		bool taken, absent;

		r = call_register(bus, machine, &error);
		taken = sd_bus_error_has_name(&error, "org.freedesktop.machine1.MachineExists");
		absent = is_absent(&error);
		if (r < 0 && !taken && !absent)
			log_warning("cannot register container '%s' with systemd-machined: %s",
				machine->name, error.message ?: strerror(-r));
		sd_bus_error_free(&error);
		if (r >= 0 || absent)
			return 0;
		/* no answer: it was restarted at this moment */
		if (!taken && r != -ETIMEDOUT && r != -ECONNRESET && r != -EIO)
			return r;
		if (taken && release_name(bus, machine->name) < 0)
			return -EEXIST;
	}
	return r;
}

int register_machine(int argc, char **argv)
{
	_cleanup_close_ int leader = -EBADF;
	struct machine machine;
	sd_bus *bus = NULL;
	int r;

	/* as every helper (helper.h) */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (argc != 5 || !name_is_valid(argv[1], NULL))
		return EXIT_FAILURE;
	machine = (struct machine){
		.name = argv[1],
		.leader = (pid_t)strtol(argv[2], NULL, 10),
		.root = argv[4],
	};
	leader = pidfd_open(machine.leader, 0);
	if (leader < 0 || parse_id(argv[3], machine.id) < 0)
		return EXIT_FAILURE;
	r = sd_bus_open_system(&bus);
	if (r >= 0)
		r = enroll(bus, &machine);
	else
		log_debug("no system bus: %s", strerror(-r));
	/* a number is not a process: it may have ended, and the number be another's now */
	if (r >= 0 && has_ended(leader))
		(void)call_unregister(bus, machine.name);
	sd_bus_flush_close_unref(bus);
	return r < 0 ? EXIT_FAILURE : 0;
}
