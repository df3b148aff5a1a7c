/* SPDX-License-Identifier: MIT */
#pragma once

/* The bytes that a session carries. Both ends know them, so whoever reads compares them one by one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_READY "<<READY:%u>>\n"

static inline uint64_t stream_mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* Byte number AT. On a terminal none is narthex' escape character. */
static inline uint8_t stream_byte(uint32_t seed, uint64_t at, bool tty)
{
	uint8_t byte = (uint8_t)(stream_mix(((uint64_t)seed << 32) ^ (at / 8)) >> (at % 8 * 8));

	return tty && byte == 0x1d ? 0x1e : byte;
}

static inline void stream_fill(uint8_t *buf, size_t n, uint32_t seed, uint64_t at, bool tty)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = stream_byte(seed, at + i, tty);
}

/* The first byte that isn't what it should be, or n. */
static inline size_t stream_compare(
	const uint8_t *buf, size_t n, uint32_t seed, uint64_t at, bool tty)
{
	size_t i = 0;

	while (i < n && buf[i] == stream_byte(seed, at + i, tty))
		i++;
	return i;
}
