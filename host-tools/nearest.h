/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * "Did you mean": the name that is nearest to a mistyped one. Start with { .given = text }, offer
 * every valid name, read best (NULL while nothing came near enough to be worth a mention).
 */
struct nearest {
	const char *given;
	const char *best; /* one of the offered, by reference */
	unsigned distance;
};

void nearest_offer(struct nearest *nearest, const char *candidate);

/* Insertions, deletions, exchanges and swaps of neighbours from a to b; case doesn't count. */
unsigned edit_distance(const char *a, const char *b);
