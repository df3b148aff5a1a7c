/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char *fuzz_file(unsigned place, const void *data, size_t size)
{
	static struct {
		int fd;
		char path[40];
	} files[FUZZ_FILES];

	MUST(place < FUZZ_FILES);
	if (files[place].fd == 0) {
		files[place].fd = memfd_create("fuzz", MFD_CLOEXEC);
		MUST(files[place].fd > 0 && fchmod(files[place].fd, 0600) == 0);
		(void)snprintf(files[place].path, sizeof(files[place].path), "/proc/self/fd/%d",
			files[place].fd);
	}
	MUST(ftruncate(files[place].fd, 0) == 0);
	MUST(pwrite(files[place].fd, data, size, 0) == (ssize_t)size);
	return files[place].path;
}
