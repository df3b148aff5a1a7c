/* SPDX-License-Identifier: MIT */
#pragma once

/* The verbs of narthex-ctl, a file each. The text of their help is in ../ctl-verbs.c. */

#include "../verbs.h"
