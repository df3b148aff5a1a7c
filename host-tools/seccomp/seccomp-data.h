/* SPDX-License-Identifier: MIT */
#pragma once

/* What a filter reads of a system call: the architecture it has to be of, and where the half of an
 * argument lies that the kernel looks at where it takes 32 bits. */

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH AUDIT_ARCH_RISCV64
#else
#error "this architecture's AUDIT_ARCH_ constant has to be added here"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOW_WORD(n) (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t))
#else
#define LOW_WORD(n) (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t) + 4)
#endif
