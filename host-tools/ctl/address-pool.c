/* SPDX-License-Identifier: MIT */
#include "address-pool.h"

#include "../name.h"
#include "cleanup.h"
#include "fd.h"
#include "ini.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <string.h>

#define POOL_FIRST ((uint32_t)10 << 24 | (uint32_t)231 << 16)
#define POOL_PAIRS (1U << 14)

void pool_done(struct address_pool *pool)
{
	free(pool->taken);
	*pool = (struct address_pool){};
}

int pool_take(struct address_pool *pool, struct in_addr address, unsigned prefix)
{
	uint32_t host_bits = prefix >= 32 ? 0 : UINT32_MAX >> prefix;
	uint32_t ip = ntohl(address.s_addr);
	struct address_range *bigger =
		reallocarray(pool->taken, pool->n + 2, sizeof(struct address_range));

	if (!bigger)
		return -ENOMEM;
	pool->taken = bigger;
	/* the address itself as well, for pool_is_assigned() */
	bigger[pool->n++] = (struct address_range){ ip, ip };
	if (host_bits)
		bigger[pool->n++] = (struct address_range){ ip & ~host_bits, ip | host_bits };
	return 0;
}

static bool is_free(const struct address_pool *pool, uint32_t first, uint32_t last)
{
	for (size_t i = 0; i < pool->n; i++)
		if (pool->taken[i].first <= last && pool->taken[i].last >= first)
			return false;
	return true;
}

bool pool_is_taken(const struct address_pool *pool, struct in_addr address)
{
	return !is_free(pool, ntohl(address.s_addr), ntohl(address.s_addr));
}

bool pool_is_assigned(const struct address_pool *pool, struct in_addr address)
{
	uint32_t ip = ntohl(address.s_addr);

	for (size_t i = 0; i < pool->n; i++)
		if (pool->taken[i].first == ip && pool->taken[i].last == ip)
			return true;
	return false;
}

int pool_pick(const struct address_pool *pool, const char *name, struct in_addr *ret_host,
	struct in_addr *ret_local)
{
	uint32_t start = (uint32_t)name_hash(name);

	for (uint32_t i = 0; i < POOL_PAIRS; i++) {
		uint32_t base = POOL_FIRST + 4 * ((start + i) % POOL_PAIRS);

		if (!is_free(pool, base + 1, base + 2))
			continue;
		ret_host->s_addr = htonl(base + 1);
		ret_local->s_addr = htonl(base + 2);
		return 0;
	}
	return -EADDRNOTAVAIL;
}

static int on_assignment(
	void *userdata, const char *section, const char *key, const char *value, unsigned line)
{
	char text[INET_ADDRSTRLEN] = "";
	const char *slash = strchr(value, '/');
	size_t len = slash ? (size_t)(slash - value) : strlen(value);
	struct in_addr address;
	long prefix = slash ? strtol(slash + 1, NULL, 10) : 32;

	(void)line;
	if (strcmp(section, "Network") != 0 ||
		(strcmp(key, "HostAddress") != 0 && strcmp(key, "LocalAddress") != 0))
		return 0;
	if (len >= sizeof(text))
		return 0;
	memcpy(text, value, len);
	if (inet_pton(AF_INET, text, &address) != 1 || prefix < 1 || prefix > 32)
		return 0;
	return pool_take(userdata, address, (unsigned)prefix);
}

static int on_error(void *userdata, unsigned line, const char *what)
{
	(void)userdata, (void)line, (void)what;
	return 0; /* another verb's business */
}

static int take_file(struct address_pool *pool, int dirfd, const char *name)
{
	static const struct ini_callbacks callbacks = {
		.assignment = on_assignment,
		.error = on_error,
	};
	_cleanup_free_ char *text = NULL;
	ssize_t n = file_read_all(dirfd, name, O_NONBLOCK | O_NOCTTY, INI_MAX_SIZE, &text);

	/* it went, or is a dangling link: no container has it; too big: none can start with it */
	if (n == -ENOENT || n == -EFBIG || n == -EISDIR)
		return 0;
	return n < 0 ? (int)n : ini_parse(text, (size_t)n, &callbacks, pool);
}

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

static int take_directory(struct address_pool *pool, int dirfd, const char *path, bool drop_ins)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	int r = 0, fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (entry = readdir(dir)))
		if (ends_in(entry->d_name, ".conf"))
			r = take_file(pool, fd, entry->d_name);
		else if (drop_ins && ends_in(entry->d_name, ".conf.d"))
			r = take_directory(pool, fd, entry->d_name, false);
	return r;
}

int pool_take_configurations(struct address_pool *pool, const char *directory)
{
	return take_directory(pool, AT_FDCWD, directory, true);
}

static int take_interfaces(struct address_pool *pool)
{
	struct ifaddrs *list;
	int r = 0;

	if (getifaddrs(&list) < 0)
		return -errno;
	for (const struct ifaddrs *i = list; r == 0 && i; i = i->ifa_next)
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET)
			r = pool_take(pool,
				((const struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr, 32);
	freeifaddrs(list);
	return r;
}

int pool_take_host(struct address_pool *pool, const char *routes)
{
	_cleanup_fclose_ FILE *f = fopen(routes, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int r;

	if (!f && errno != ENOENT) /* ENOENT: a kernel without IPv4 */
		return -errno;
	r = take_interfaces(pool);
	while (r == 0 && f && getline(&line, &size, f) > 0) {
		struct in_addr destination, mask;

		/* Iface Destination Gateway Flags RefCnt Use Metric Mask …; the kernel prints the
		 * bytes of the network as a number of this machine */
		if (sscanf(line, "%*s %x %*s %*s %*s %*s %*s %x", &destination.s_addr,
			    &mask.s_addr) == 2 &&
			mask.s_addr != 0)
			r = pool_take(pool, destination, (unsigned)__builtin_popcount(mask.s_addr));
	}
	return r;
}
