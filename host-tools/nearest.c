/* SPDX-License-Identifier: MIT */
#include "nearest.h"

#include <string.h>

/* Nobody mistypes a longer name than this into something that we could recognise. */
#define LENGTH_MAX 63

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	if (b < a)
		a = b;
	return c < a ? c : a;
}

/* "Optimal string alignment": three rows of the classic matrix are enough. */
unsigned edit_distance(const char *a, const char *b)
{
	unsigned rows[3][LENGTH_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];
	size_t n = strnlen(a, LENGTH_MAX), m = strnlen(b, LENGTH_MAX);

	for (unsigned j = 0; j <= m; j++)
		last[j] = j;
	for (unsigned i = 1; i <= n; i++) {
		unsigned *spare = before;

		row[0] = i;
		for (unsigned j = 1; j <= m; j++) {
			unsigned differ = lower(a[i - 1]) != lower(b[j - 1]);

			row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + differ);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
				lower(a[i - 2]) == lower(b[j - 1]) && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[m];
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
	unsigned distance = edit_distance(nearest->given, candidate);
	size_t len = strlen(candidate);

	/* a third of the letters wrong is a typing mistake, more is another word */
	if (distance > 1 && distance > (len + 2) / 3)
		return;
	if (nearest->best && distance >= nearest->distance)
		return;
	nearest->best = candidate;
	nearest->distance = distance;
}
