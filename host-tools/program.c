/* SPDX-License-Identifier: MIT */
#include "program.h"

#include "cleanup.h"

#include <limits.h>
#include <string.h>

int program_find(const char *name, char **ret)
{
	static const char *const places[] = { "", "../lib/narthex/" };
	char self[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return -errno;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		slash[1] = '\0';
	for (size_t i = 0; slash && i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s%s%s", self, places[i], name) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		if (access(path, X_OK) == 0) {
			char *real = realpath(path, NULL);

			if (!real)
				return -errno;
			*ret = real;
			return 0;
		}
	}
	return asprintf(ret, PKGLIBDIR "/%s", name) < 0 ? -ENOMEM : 0;
}
