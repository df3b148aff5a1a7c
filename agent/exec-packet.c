/* SPDX-License-Identifier: MIT */
#include "exec-packet.h"

#include "exec-message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int exec_packet_receive(int socket, void *buf, bool takes, struct exec_packet *ret)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * EXEC_PACKET_FDS)];
	} control = {};
	struct iovec iov = { buf, EXEC_MESSAGE_MAX };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (takes) {
		message.msg_control = &control;
		/* not CMSG_SPACE: its padding would hold one more */
		message.msg_controllen = CMSG_LEN(sizeof(int) * EXEC_PACKET_FDS);
	}
	ret->n_fds = 0;
	ret->len = recvmsg(socket, &message, MSG_DONTWAIT | (takes ? MSG_CMSG_CLOEXEC : MSG_PEEK));
	if (ret->len < 0)
		return -errno;
	ret->cut = message.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		ret->n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(ret->fds, CMSG_DATA(c), ret->n_fds * sizeof(int));
	}
	return 0;
}

void exec_packet_close(struct exec_packet *packet)
{
	while (packet->n_fds > 0)
		(void)close(packet->fds[--packet->n_fds]);
}
