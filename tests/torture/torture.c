/* SPDX-License-Identifier: MIT */

/*
 * torture [OPTION]... NAME: sessions on all doors of container NAME, each with traffic both ways
 * that is compared byte for byte, with pauses, signals and new window sizes, while the agent is
 * killed or something else is done to it again and again. The last line says what has happened; the
 * exit status is 1 when anything was lost.
 *
 *   --seed=N --seconds=N --sessions=N    what, how long (at least until each door has seen one),
 * how many at a time
 *   --size=BYTES                         at most in a direction of a session
 *   --payload=PATH                       tests/torture/payload.c in the guest
 *   --doors=abc                          of the doors only these: e exec, t exec -t, s root-shell,
 * r root-login, l login
 *   --kill=FILE                          kill -9 all processes of this cgroup.procs every 50 to 500
 * ms, sometimes at once
 *   --command=CMD                        or carry this out
 *   --every=MSEC                         not as often as that
 *   --polite                             no client leaves in the middle
 */

#include "torture.h"

#include "cleanup.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SESSIONS_MAX 256
#define HANG_USEC INT64_C(90000000)
#define TURN_MSEC 5

static const char *arg_kill, *arg_command, *arg_doors = "etsrl";
static uint32_t arg_seed, arg_sessions = 20;
static long arg_seconds = 10, arg_every;
static struct plan plan = { .payload = "/torture-payload", .size_max = 200000, .rude = true };

static struct torture_session sessions[SESSIONS_MAX];
static bool open_now[SESSIONS_MAX];
static struct score score;

static uint64_t luck_state;

int64_t now_usec(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void luck_seed(uint32_t seed)
{
	luck_state = stream_mix(seed);
}

uint32_t luck(uint32_t n)
{
	return (uint32_t)(stream_mix(luck_state++) % n);
}

/* --- what is done to the agent -----------------------------------------------------------------
 */

struct tormentor {
	int64_t next;
	pid_t command;
	unsigned int done;
};

static bool kill_agents(void)
{
	_cleanup_fclose_ FILE *f = fopen(arg_kill, "re");
	bool killed = false;
	int pid;

	/* a service that is being started again may have no cgroup */
	while (f && fscanf(f, "%d", &pid) == 1)
		killed |= pid > 1 && kill(pid, SIGKILL) == 0;
	return killed;
}

static bool start_command(struct tormentor *t)
{
	t->command = fork();
	if (t->command == 0) {
		(void)execl("/bin/sh", "sh", "-c", arg_command, NULL);
		_exit(127);
	}
	return t->command > 0;
}

static void command_done(struct tormentor *t)
{
	int status;

	if (waitpid(t->command, &status, WNOHANG) != t->command)
		return;
	t->command = 0;
	if (status == 0)
		return;
	printf("torture: '%s' failed with wait status %#x\n", arg_command, status);
	score.failed++;
}

static void torment(struct tormentor *t)
{
	int64_t now = now_usec();

	if (t->command > 0)
		command_done(t);
	if (t->command > 0 || now < t->next || (!arg_kill && !arg_command))
		return;
	if (arg_kill ? !kill_agents() : !start_command(t))
		return;
	t->done++;
	if (arg_every > 0)
		t->next = now + arg_every * 1000;
	else
		t->next = now + (luck(8) == 0 ? luck(20000) : 50000 + luck(450000));
}

/* --- the loop ----------------------------------------------------------------------------------
 */

static uint32_t seed_of(uint32_t number)
{
	return (uint32_t)(stream_mix(((uint64_t)arg_seed << 32) + number) & 0x7ffffffe);
}

static enum kind kind_of(char letter)
{
	static const char letters[] = "etsrl";
	const char *at = strchr(letters, letter);

	return at && *at ? (enum kind)(at - letters) : KINDS;
}

static bool start_one(uint32_t i)
{
	static uint32_t number;
	enum kind kind = kind_of(arg_doors[number % strlen(arg_doors)]);

	session_open(&sessions[i], &plan, kind, seed_of(number));
	number++;
	return true;
}

static void wait_a_turn(void)
{
	static struct pollfd fds[SESSIONS_MAX * 3];
	size_t n = 0;

	for (uint32_t i = 0; i < arg_sessions; i++)
		if (open_now[i])
			n += session_poll(&sessions[i], fds + n);
	(void)poll(fds, n, TURN_MSEC);
}

/* Whether any goes on. */
static bool turn(bool more)
{
	bool any = false;

	for (uint32_t i = 0; i < arg_sessions; i++) {
		struct torture_session *s = &sessions[i];

		if (!open_now[i] && more)
			open_now[i] = start_one(i);
		if (open_now[i] && session_go_on(s, &score))
			open_now[i] = false;
		if (open_now[i] && now_usec() - s->moved > HANG_USEC) {
			session_explain(s, "hangs");
			exit(1);
		}
		any |= open_now[i];
	}
	return any;
}

static void report(const struct tormentor *t)
{
	unsigned int ended = 0;

	for (int k = 0; k < KINDS; k++)
		ended += score.ended[k];
	printf("%u sessions (", ended);
	for (int k = 0; k < KINDS; k++)
		printf("%s%s %u", k ? ", " : "", kind_names[k], score.ended[k]);
	printf("), %u left by their clients, %u cut at the start; %llu MiB there, %llu MiB back, "
	       "%u signals (%u came twice), "
	       "%u sizes; %s %u times; %u failed\n",
		score.left, score.cut, (unsigned long long)score.up >> 20,
		(unsigned long long)score.down >> 20, score.signals, score.repeated, score.resizes,
		arg_kill ? "agent killed" : "command run", t->done, score.failed);
}

/* However slow the machine is: without one of each that has gone all the way this shows nothing. */
static bool seen_all_doors(void)
{
	for (const char *door = arg_doors; *door; door++)
		if (score.ended[kind_of(*door)] == 0)
			return false;
	return true;
}

static int run(void)
{
	struct tormentor tormentor = { .next = now_usec() + arg_every * 1000 };
	int64_t end = now_usec() + arg_seconds * 1000000;

	printf("torture: --seed=%u\n", arg_seed);
	(void)fflush(stdout);
	luck_seed(arg_seed);
	while (turn(now_usec() < end || (score.failed == 0 && !seen_all_doors())) ||
		tormentor.command > 0) {
		torment(&tormentor);
		wait_a_turn();
	}
	report(&tormentor);
	/* each kill cuts what is about to start, and nothing else can */
	if (score.cut > (arg_kill ? tormentor.done : 0)) {
		printf("torture: more were cut than can be\n");
		return 1;
	}
	return score.failed > 0;
}

static bool take_option(int c)
{
	switch (c) {
	case 's':
		arg_seed = (uint32_t)strtoul(optarg, NULL, 10);
		return true;
	case 't':
		arg_seconds = strtol(optarg, NULL, 10);
		return true;
	case 'n':
		arg_sessions = (uint32_t)strtoul(optarg, NULL, 10);
		return arg_sessions > 0 && arg_sessions <= SESSIONS_MAX;
	case 'z':
		plan.size_max = (uint32_t)strtoul(optarg, NULL, 10);
		return plan.size_max > 0;
	case 'p':
		plan.payload = optarg;
		return true;
	case 'd':
		arg_doors = optarg;
		return *optarg && strspn(optarg, "etsrl") == strlen(optarg);
	case 'k':
		arg_kill = optarg;
		return true;
	case 'c':
		arg_command = optarg;
		return true;
	case 'e':
		arg_every = strtol(optarg, NULL, 10);
		return arg_every > 0;
	case 'P':
		plan.rude = false;
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "sessions", required_argument, NULL, 'n' },
		{ "size", required_argument, NULL, 'z' },
		{ "payload", required_argument, NULL, 'p' },
		{ "doors", required_argument, NULL, 'd' },
		{ "kill", required_argument, NULL, 'k' },
		{ "command", required_argument, NULL, 'c' },
		{ "every", required_argument, NULL, 'e' },
		{ "polite", no_argument, NULL, 'P' },
		{},
	};
	int c;

	(void)signal(SIGPIPE, SIG_IGN);
	arg_seed = (uint32_t)time(NULL);
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
		if (!take_option(c)) {
			fprintf(stderr, "torture: see the head of tests/torture/torture.c\n");
			return 2;
		}
	if (argc - optind != 1)
		return 2;
	plan.name = argv[optind];
	return run();
}
