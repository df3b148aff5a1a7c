/* SPDX-License-Identifier: MIT */

/* What narthex and narthex-ctl both have to know of the verbs of narthex-ctl. */

#include "verbs.h"

#include <stddef.h>

const struct verb ctl_verbs[] = {
	{},
};
