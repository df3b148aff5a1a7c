/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include "clock.h"
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define INTERVAL_MS 100
#define BAR_MAX 40
#define WIDTH_MAX 200
#define ERASE "\r\033[K"

static void format_number(bool bytes, uint64_t n, char *out, size_t size)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double value = (double)n / 1024;
	size_t unit = 0;

	if (!bytes) {
		(void)snprintf(out, size, "%llu files", (unsigned long long)n);
		return;
	}
	for (; value >= 1024 && unit < 3; unit++)
		value /= 1024;
	(void)snprintf(out, size, "%.1f %s", value, units[unit]);
}

int progress_format(const struct progress *progress, uint64_t done, uint64_t total, unsigned width,
	char *out, int size)
{
	char number[32], bar[BAR_MAX + 3] = "";
	unsigned percent, cells, filled;
	int n;

	format_number(progress->bytes, done, number, sizeof(number));
	if (total == 0) {
		n = snprintf(out, (size_t)size, "%s: %s", progress->what, number);
	} else {
		if (done > total)
			done = total;
		percent = (unsigned)((double)done / (double)total * 100);
		n = (int)strlen(progress->what) + (int)sizeof(" [] 100% 1023.9 MiB");
		cells = (int)width > n ? width - (unsigned)n : 0;
		cells = cells > BAR_MAX ? BAR_MAX : cells;
		filled = (unsigned)((double)done / (double)total * cells);
		memset(bar, '#', filled);
		memset(bar + filled, '.', cells - filled);
		n = snprintf(out, (size_t)size, "%s [%s] %3u%% %s", progress->what, bar, percent,
			number);
	}
	if (n >= size)
		n = size - 1;
	if (n > (int)width) {
		n = (int)width;
		out[n] = '\0';
	}
	return n;
}

void progress_show(struct progress *progress, uint64_t done, uint64_t total)
{
	char line[WIDTH_MAX + 1];
	struct winsize size;
	int64_t now;
	unsigned width;

	if (!isatty(STDERR_FILENO))
		return;
	now = clock_ms();
	if (progress->shown && now < progress->next_ms)
		return;
	/* the last column stays free: some terminals wrap there */
	width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1U
										: 79;
	(void)progress_format(progress, done, total, width > WIDTH_MAX ? WIDTH_MAX : width, line,
		(int)sizeof(line));
	(void)fprintf(stderr, ERASE "%s", line);
	(void)fflush(stderr);
	progress->shown = true;
	progress->next_ms = now + INTERVAL_MS;
}

void progress_clear(struct progress *progress)
{
	if (!progress || !progress->shown)
		return;
	(void)fputs(ERASE, stderr);
	(void)fflush(stderr);
	progress->shown = false;
}
