/* SPDX-License-Identifier: MIT */

/* clang-format off */
/*
 * A neighbour with bad intentions.
 *
 *   peer trap PATH TYPE REPORT   listens at PATH (TYPE: stream or seqpacket) as a door would, and tries on each client
 *                                what a handle on it (SO_PEERPIDFD) is good for: its namespaces, its descriptors, its
 *                                life. A line for each in REPORT; the client is hung up.
 *   peer lend PATH PID REPORT    binds PATH, and listens as root of PID's user namespace; a line for each client
 *   peer offer KEY               offers itself in all the ways that processes meet, says "ready", waits
 *   peer take KEY PID            tries each of these, and prints how it went
 *   peer type TEXT               types TEXT into every terminal it can find (TIOCSTI), prints "typed N"
 *   peer terminals               prints which ones it has: "terminal FILE-SYSTEM:DEVICE" for each
 *   peer fill DIR                fills DIR's file system with data, then with files, prints "full"
 *   peer cgroups DIR             makes cgroups below DIR till there are no more, with names that nobody likes
 *   peer flood PATH SECONDS      sends to a datagram socket what it can: short, long, with descriptors; prints "sent N"
 *   peer mute DIR                mounts a file system there that takes every request and answers none; prints "mute"
 *   peer bomb MAX                forks, and so do its children, till there are MAX of them
 */
/* clang-format on */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/keyctl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "syscalls.h"

#define BACKLOG 4096
#define FDS_TRIED 32

static int die(const char *what)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
	return 1;
}

/* --- the reverse handle -------------------------------------------------------------------- */

static int bind_at(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		chmod(path, 0666) < 0)
		return -1;
	return fd;
}

static const char *outcome(long r)
{
	return r < 0 ? strerrorname_np(errno) : "YES";
}

/* In a child, which what works takes along. */
static void try_namespaces(FILE *report, int pidfd)
{
	static const struct {
		const char *name;
		int flag;
	} namespaces[] = { { "mnt", CLONE_NEWNS }, { "pid", CLONE_NEWPID }, { "net", CLONE_NEWNET },
		{ "ipc", CLONE_NEWIPC }, { "uts", CLONE_NEWUTS }, { "cgroup", CLONE_NEWCGROUP },
		{ "user", CLONE_NEWUSER } };

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		fprintf(report, " %s=%s", namespaces[i].name,
			outcome(setns(pidfd, namespaces[i].flag)));
}

static void try_descriptors(FILE *report, int pidfd)
{
	const char *best = "none";

	for (unsigned int i = 0; i < FDS_TRIED; i++) {
		long fd = syscall(SYS_pidfd_getfd, pidfd, i, 0);

		if (fd >= 0 || i == 0)
			best = outcome(fd);
		if (fd >= 0)
			break;
	}
	fprintf(report, " getfd=%s", best);
}

static void try_client(FILE *report, int client)
{
	int pidfd = -1;
	socklen_t len = sizeof(pidfd);

	if (getsockopt(client, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) < 0) {
		fprintf(report, "handle=%s\n", strerrorname_np(errno));
		return;
	}
	fprintf(report, "handle=YES");
	/* the quickest first: a client that connects by itself lives on, one that doesn't may be
	 * dying just now */
	try_descriptors(report, pidfd);
	try_namespaces(report, pidfd);
	fprintf(report, " signal=%s\n",
		outcome(syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0)));
}

static int trap(const char *path, const char *type, const char *report_path)
{
	int door = bind_at(path, strcmp(type, "stream") == 0 ? SOCK_STREAM : SOCK_SEQPACKET);
	FILE *report = fopen(report_path, "we");
	int root = open("/", O_PATH | O_CLOEXEC);

	if (door < 0 || !report || root < 0 || listen(door, BACKLOG) < 0)
		return die(path);
	(void)signal(SIGCHLD, SIG_IGN);
	puts("ready");
	(void)fflush(stdout);
	for (;;) {
		int client = accept4(door, NULL, NULL, SOCK_CLOEXEC);

		if (client < 0)
			return die("accept");
		/* no child: it would cost the time in which a handle may still be worth something.
		 * What got into another namespace comes out no more; the first success is enough */
		try_client(report, client);
		(void)fflush(report);
		(void)close(client);
	}
}

static int lend(const char *path, const char *pid, const char *report_path)
{
	int door = bind_at(path, SOCK_SEQPACKET), client;
	FILE *report = fopen(report_path, "we");
	char ns[64];
	int fd;

	(void)snprintf(ns, sizeof(ns), "/proc/%s/ns/user", pid);
	fd = open(ns, O_RDONLY | O_CLOEXEC);
	if (door < 0 || !report || fd < 0)
		return die(path);
	/* without a user namespace it is ours, which can't be entered */
	if (setns(fd, CLONE_NEWUSER) == 0 && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		return die("root there");
	if (listen(door, BACKLOG) < 0)
		return die("listen");
	puts("ready");
	(void)fflush(stdout);
	while ((client = accept4(door, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		char byte;

		fprintf(report, "client, %s\n",
			recv(client, &byte, 1, 0) > 0 ? "who spoke" : "silent");
		(void)fflush(report);
		(void)close(client);
	}
	return die("accept");
}

/* --- how processes meet -------------------------------------------------------------------- */

static void abstract(struct sockaddr_un *address, socklen_t *len, const char *key)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1,
				   "peer-%s", key));
}

static int offer(const char *key)
{
	key_t number = (key_t)strtol(key, NULL, 10);
	struct sockaddr_un address;
	socklen_t len;
	char name[64], byte;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	abstract(&address, &len, key);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 8) < 0)
		return die("abstract socket");
	if (shmget(number, 4096, IPC_CREAT | 0666) < 0 || msgget(number, IPC_CREAT | 0666) < 0)
		return die("System V IPC");
	(void)snprintf(name, sizeof(name), "/peer-%s", key);
	if (shm_open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666) < 0)
		return die("shm_open");
	/* the key may be refused, here as there */
	(void)syscall(SYS_add_key, "user", name, "x", 1, KEY_SPEC_USER_KEYRING);
	puts("ready");
	(void)fflush(stdout);
	(void)!read(STDIN_FILENO, &byte, 1);
	return 0;
}

static void tell(const char *what, long r)
{
	printf("%s=%s\n", what, outcome(r));
}

static int take(const char *key, const char *pid_text)
{
	key_t number = (key_t)strtol(key, NULL, 10);
	pid_t pid = (pid_t)strtol(pid_text, NULL, 10);
	struct sockaddr_un address;
	socklen_t len;
	char name[64];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	abstract(&address, &len, key);
	tell("abstract", connect(fd, (struct sockaddr *)&address, len));
	tell("shmget", shmget(number, 4096, 0));
	tell("msgget", msgget(number, 0));
	(void)snprintf(name, sizeof(name), "/peer-%s", key);
	tell("shm_open", shm_open(name, O_RDWR | O_CLOEXEC, 0));
	tell("key", syscall(SYS_request_key, "user", name, NULL, 0));
	/* the number that it has on the host */
	tell("kill", kill(pid, 0));
	tell("pidfd", syscall(SYS_pidfd_open, pid, 0));
	tell("vm", process_vm_readv(pid, &(struct iovec){ name, 1 }, 1,
			   &(struct iovec){ (void *)0x10000, 1 }, 1, 0));
	return 0;
}

/* --- terminals, space ---------------------------------------------------------------------- */

static int type_into(int fd, const char *text)
{
	int n = 0;

	for (const char *c = text; fd >= 0 && *c; c++)
		n += ioctl(fd, TIOCSTI, c) == 0;
	return n;
}

/* Calls it for each, which closes none. */
static int each_terminal(int (*use)(int fd, const char *text), const char *text)
{
	int n = 0;
	DIR *dir = opendir("/dev/pts");
	struct dirent *entry;

	for (int fd = 0; fd < 10; fd++)
		n += use(fd, text);
	n += use(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), text);
	n += use(open("/dev/console", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), text);
	while (dir && (entry = readdir(dir)))
		n += use(openat(dirfd(dir), entry->d_name,
				 O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK),
			text);
	return n;
}

static int type(const char *text)
{
	printf("typed %d\n", each_terminal(type_into, text));
	return 0;
}

/* The same for everybody, in whatever namespace: a devpts has a number of its own. */
static int name_terminal(int fd, const char *text)
{
	struct stat st;

	(void)text;
	if (fd >= 0 && isatty(fd) && fstat(fd, &st) == 0)
		printf("terminal %lx:%lx\n", (unsigned long)st.st_dev, (unsigned long)st.st_rdev);
	return 0;
}

static int terminals(void)
{
	(void)each_terminal(name_terminal, NULL);
	puts("terminals end");
	return 0;
}

static int fill(const char *dir)
{
	static char block[65536];
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	if (at < 0)
		return die(dir);
	fd = openat(at, "fill", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	for (int i = 0; i < 1000000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "fill-%d", i);
		if (mknodat(at, name, S_IFREG | 0600, 0) < 0)
			break;
	}
	puts(errno == ENOSPC ? "full" : strerrorname_np(errno));
	return 0;
}

static int cgroups(const char *dir)
{
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
	char name[200];

	if (at < 0)
		return die(dir);
	for (; n < 300; n++) {
		(void)snprintf(name, sizeof(name), "\033]0;%d\007\xff\"\\-%0100d", n, n);
		if (mkdirat(at, name, 0755) < 0)
			break;
	}
	printf("made %d\n", n);
	return 0;
}

static int flood(const char *path, const char *seconds)
{
	static const size_t sizes[] = { 7, 4096, 65536 };
	static char text[65536] = "READY=1\nSTATUS=mine\nMAINPID=1\n";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { .iov_base = text };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	time_t end = time(NULL) + strtol(seconds, NULL, 10);
	unsigned long sent = 0;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), none = 0;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return die(path);
	memcpy(CMSG_DATA(&control.header), &none, sizeof(none));
	for (unsigned long i = 0; time(NULL) < end; i++) {
		iov.iov_len = sizes[i % 3];
		message.msg_control = i % 2 ? &control : NULL;
		message.msg_controllen = i % 2 ? sizeof(control) : 0;
		sent += sendmsg(fd, &message, MSG_DONTWAIT) >= 0;
	}
	printf("sent %lu\n", sent);
	return 0;
}

/* The kernel asks first which protocol is spoken, and waits for that alone (linux/fuse.h). */
static int mute(const char *dir)
{
	struct {
		struct fuse_out_header header;
		struct fuse_init_out init;
	} answer = { .header = { .len = sizeof(answer) },
		.init = { .major = FUSE_KERNEL_VERSION,
			.minor = FUSE_KERNEL_MINOR_VERSION,
			.max_write = 4096 } };
	union {
		struct fuse_in_header header;
		char bytes[1 << 16];
	} request;
	char options[96];
	int fd = open("/dev/fuse", O_RDWR);

	(void)snprintf(options, sizeof(options),
		"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
	if (fd < 0 || mount("mute", dir, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		return die(dir);
	if (read(fd, &request, sizeof(request)) < (ssize_t)sizeof(request.header))
		return die("read");
	answer.header.unique = request.header.unique;
	if (write(fd, &answer, sizeof(answer)) != sizeof(answer))
		return die("write");
	printf("mute\n");
	(void)fflush(stdout);
	while (read(fd, &request, sizeof(request)) > 0)
		;
	return die("read");
}

/*
 * Where a limit is felt, all go on trying for ever, as a real one does. Where none is, MAX is the
 * end of it, so that a test machine survives.
 */
static int bomb(const char *max_text)
{
	int max = (int)strtol(max_text, NULL, 10);
	int *count = mmap(
		NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (count == MAP_FAILED)
		return die("mmap");
	while (__atomic_load_n(count, __ATOMIC_RELAXED) < max)
		if (fork() == 0)
			(void)__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
	for (;;)
		(void)pause();
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "trap") == 0)
		return trap(argv[2], argv[3], argv[4]);
	if (argc == 5 && strcmp(argv[1], "lend") == 0)
		return lend(argv[2], argv[3], argv[4]);
	if (argc == 3 && strcmp(argv[1], "offer") == 0)
		return offer(argv[2]);
	if (argc == 4 && strcmp(argv[1], "take") == 0)
		return take(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "type") == 0)
		return type(argv[2]);
	if (argc == 2 && strcmp(argv[1], "terminals") == 0)
		return terminals();
	if (argc == 3 && strcmp(argv[1], "fill") == 0)
		return fill(argv[2]);
	if (argc == 3 && strcmp(argv[1], "cgroups") == 0)
		return cgroups(argv[2]);
	if (argc == 4 && strcmp(argv[1], "flood") == 0)
		return flood(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "mute") == 0)
		return mute(argv[2]);
	if (argc == 3 && strcmp(argv[1], "bomb") == 0)
		return bomb(argv[2]);
	fprintf(stderr,
		"usage: peer trap|lend|offer|take|type|terminals|fill|cgroups|flood|mute|bomb "
		"...\n");
	return 2;
}
