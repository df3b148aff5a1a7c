/* SPDX-License-Identifier: MIT */
#pragma once

/* What the agent itself says to a client, and the end of its connection. */

/*
 * Ends a connection so that the client reads all that was sent and then end of file. Unread input
 * must go first: closing with it would turn the client's end of file into ECONNRESET. fd: consumed.
 */
void client_finish(int fd);

/* One line to the client of a raw door, if it takes it at once, and the end. fd: consumed. */
__attribute__((format(printf, 2, 3))) void client_refuse(int fd, const char *format, ...);
