/* SPDX-License-Identifier: MIT */
#pragma once

/* Writes JSON (RFC 8259) on one line. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *f;
	bool comma; /* the next member or element needs one before it */
};

/* key: NULL in an array and at the top. Keys are our own and need no escapes. */
void json_open(struct json *json, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *json, char bracket);		  /* '}' or ']' */

/* text: any bytes; what isn't UTF-8 becomes U+FFFD. NULL becomes null. */
void json_string(struct json *json, const char *key, const char *text);
void json_number(struct json *json, const char *key, uint64_t number);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
