/* SPDX-License-Identifier: MIT */
#include "shortage.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

#define TRIES 20

bool shortage_passes(int r, unsigned int *tries)
{
	if ((r != -ENOMEM && r != -ENOBUFS) || *tries >= TRIES)
		return false;
	(*tries)++;
	(void)poll(NULL, 0, 1);
	return true;
}
