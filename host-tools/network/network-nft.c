/* SPDX-License-Identifier: MIT */

/*
 * nftables. The library is loaded only by containers that have ports or masquerading: it would
 * double what narthex-network takes to start.
 */

#include "cleanup.h"
#include "fd.h"
#include "log.h"
#include "network-nat.h"

#include <dlfcn.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libnftables.so.1"
#define NFT_LOCK "/run/narthex/.nftables-lock"

static struct {
	void *handle;
	typeof(nft_ctx_new) *new;
	typeof(nft_ctx_free) *free;
	typeof(nft_ctx_buffer_error) *buffer_error;
	typeof(nft_ctx_get_error_buffer) *get_error;
	typeof(nft_run_cmd_from_buffer) *run;
} nft;

void nft_load(void)
{
	if (nft.handle)
		return;
	nft.handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!nft.handle)
		return;
	nft.new = dlsym(nft.handle, "nft_ctx_new");
	nft.free = dlsym(nft.handle, "nft_ctx_free");
	nft.buffer_error = dlsym(nft.handle, "nft_ctx_buffer_error");
	nft.get_error = dlsym(nft.handle, "nft_ctx_get_error_buffer");
	nft.run = dlsym(nft.handle, "nft_run_cmd_from_buffer");
}

/*
 * The library reads what the kernel has before it sends anything, and begins anew when somebody
 * changes it meanwhile: of a hundred containers that start at once some would go on reading for
 * minutes. Without the lock it is slower, not wrong.
 */
int nft_run(const char *commands)
{
	_cleanup_close_ int turn = fd_open_locked(NFT_LOCK);
	struct nft_ctx *ctx;
	const char *why;
	int r = 0;

	nft_load();
	if (!nft.new || !nft.free || !nft.buffer_error || !nft.get_error || !nft.run) {
		log_error("cannot load " LIBRARY ": Port= and Masquerade= need it (Debian: "
			  "libnftables1)");
		return -ENOENT;
	}
	ctx = nft.new(NFT_CTX_DEFAULT);
	if (!ctx || nft.buffer_error(ctx) != 0) {
		r = log_errno(-ENOMEM, "cannot set up nftables");
	} else if (nft.run(ctx, commands) != 0) {
		/* the first line has the error, the others show where */
		why = nft.get_error(ctx);
		log_error("cannot set the packet filter: %.*s", why ? (int)strcspn(why, "\n") : 0,
			why ? why : "");
		r = -EIO;
	}
	if (ctx)
		nft.free(ctx);
	return r;
}

static struct nlmsghdr *put_header(struct mnl_nlmsg_batch *batch, uint16_t type, uint8_t family,
	uint16_t flags, uint32_t sequence)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
	struct nfgenmsg *extra;

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	header->nlmsg_seq = sequence;
	extra = mnl_nlmsg_put_extra_header(header, sizeof(*extra));
	*extra = (struct nfgenmsg){ .nfgen_family = family, .version = NFNETLINK_V0 };
	if (type < NLMSG_MIN_TYPE + 2) /* NFNL_MSG_BATCH_BEGIN, _END */
		extra->res_id = htons(NFNL_SUBSYS_NFTABLES);
	return header;
}

static int send_deletion(struct mnl_socket *socket, const char *table)
{
	char buffer[1024], answer[8192]; /* two messages of three fit */
	struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(buffer, sizeof(buffer) / 2);
	struct nlmsghdr *header;
	ssize_t n;
	int r = 0;

	if (!batch)
		return -ENOMEM;
	(void)put_header(batch, NFNL_MSG_BATCH_BEGIN, AF_UNSPEC, 0, 1);
	(void)mnl_nlmsg_batch_next(batch);
	header = put_header(
		batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, NFPROTO_INET, NLM_F_ACK, 2);
	mnl_attr_put_strz(header, NFTA_TABLE_NAME, table);
	(void)mnl_nlmsg_batch_next(batch);
	(void)put_header(batch, NFNL_MSG_BATCH_END, AF_UNSPEC, 0, 3);
	(void)mnl_nlmsg_batch_next(batch);
	if (mnl_socket_sendto(socket, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch)) < 0)
		r = -errno;
	mnl_nlmsg_batch_stop(batch);
	if (r < 0)
		return r;
	n = mnl_socket_recvfrom(socket, answer, sizeof(answer));
	if (n < 0)
		return -errno;
	return mnl_cb_run(answer, (size_t)n, 2, mnl_socket_get_portid(socket), NULL, NULL) < 0
		       ? -errno
		       : 0;
}

int nft_delete_table(const char *table)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int r;

	if (!socket) /* a kernel without */
		return errno == EPROTONOSUPPORT ? -ENOENT : -errno;
	r = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno
							       : send_deletion(socket, table);
	mnl_socket_close(socket);
	return r == -EOPNOTSUPP || r == -EINVAL ? -ENOENT : r;
}
