// SPDX-License-Identifier: GPL-2.0
/*
 * xftrace: a function graph tracer whose entries are sealed with keys from the
 * host, and which the host controls through a control page in memory.
 */
#include <linux/kernel.h>
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include "module.h"

/* How often the threads check for commands of the host, in milliseconds. */
#define POLL_BUSY 5
#define POLL_IDLE 40
/*
 * The number of polls after a command or a change of the flag before the thread
 * counts as idle.
 */
#define IDLE_AFTER 400

static unsigned int ring_kib = 2048;
module_param(ring_kib, uint, 0444);
MODULE_PARM_DESC(ring_kib, "size of a CPU's ring in KiB, a power of two");

struct xft_control xft_control __aligned(PAGE_SIZE);
u8 *xft_mail;

static struct task_struct *mailbox;
static struct task_struct *heart;

void xft_say(u32 phase, const char *text)
{
	strscpy(xft_control.said, text, sizeof(xft_control.said));
	/*
	 * Ensures that whoever sees the new phase also sees the text that goes
	 * with it.
	 */
	smp_store_release(&xft_control.phase, phase);
}

static s64 tracefs_command(u32 command, u32 bytes, u64 argument, u32 *answer)
{
	const char *path = (const char *)xft_mail;
	size_t length = strnlen(path, bytes);
	ssize_t result;
	char *copy;

	if (length == bytes || length >= 512)
		return -EINVAL;
	xft_say(XFT_PHASE_TRACEFS, path);
	if (command == XFT_COMMAND_TRACEFS_READ) {
		/* The answer overwrites the mailbox, and so the path in it. */
		copy = kstrdup(path, GFP_KERNEL);
		if (!copy)
			return -ENOMEM;
		result = xft_tracefs_read(copy, (char *)xft_mail,
					  XFT_MAIL_BYTES, argument);
		kfree(copy);
		*answer = result > 0 ? result : 0;
		return result;
	}
	if (command == XFT_COMMAND_MAKE_INSTANCE)
		return xft_tracefs_make_instance(path);
	if (command == XFT_COMMAND_REMOVE_INSTANCE)
		return xft_tracefs_remove_instance(path);
	if (argument > bytes - length - 1)
		return -EINVAL;
	return xft_tracefs_write(path, path + length + 1, argument,
				 command == XFT_COMMAND_TRACEFS_APPEND);
}

static s64 carry_out(u32 command, u32 bytes, u64 argument, u32 *answer)
{
	if (bytes > XFT_MAIL_BYTES)
		return -EINVAL;
	switch (command) {
	case XFT_COMMAND_PING:
		return 0;
	case XFT_COMMAND_CONFIGURE:
		return xft_graph_configure((struct xft_config *)xft_mail,
					   bytes);
	case XFT_COMMAND_UNREGISTER:
		xft_graph_unregister();
		return 0;
	case XFT_COMMAND_RESET:
		return xft_graph_reset();
	case XFT_COMMAND_TRACEFS_WRITE:
	case XFT_COMMAND_TRACEFS_APPEND:
	case XFT_COMMAND_TRACEFS_READ:
	case XFT_COMMAND_MAKE_INSTANCE:
	case XFT_COMMAND_REMOVE_INSTANCE:
		return tracefs_command(command, bytes, argument, answer);
	}
	return -EOPNOTSUPP;
}

static int mailbox_thread(void *unused)
{
	unsigned int quiet = 0;

	xft_tracefs_enter();
	while (!kthread_should_stop()) {
		/*
		 * Pairs with the host, which stores the number after the
		 * command.
		 */
		u64 number = smp_load_acquire(&xft_control.command_number);
		u32 command, answer = 0;
		s64 result;

		if (number == xft_control.command_answered) {
			quiet = xft_park_follow() ? 0 :
				min(quiet + 1, IDLE_AFTER + 1U);
			schedule_timeout_interruptible(msecs_to_jiffies(
				quiet > IDLE_AFTER ? POLL_IDLE : POLL_BUSY));
			continue;
		}
		quiet = 0;
		command = READ_ONCE(xft_control.command);
		xft_say(XFT_PHASE_STARTED, "started");
		result = carry_out(command, READ_ONCE(xft_control.command_bytes),
				   READ_ONCE(xft_control.command_argument),
				   &answer);
		xft_push_command(number, command, result);
		xft_control.commands++;
		xft_control.command_result = result;
		xft_control.answer_bytes = answer;
		xft_say(XFT_PHASE_IDLE, "done");
		/* By now the answer is complete. */
		smp_store_release(&xft_control.command_answered, number);
	}
	xft_tracefs_leave();
	return 0;
}

/* The heartbeat has a thread of its own, because a command may take seconds. */
static int heart_thread(void *unused)
{
	while (!kthread_should_stop()) {
		u64 nonce = READ_ONCE(xft_control.heartbeat_nonce);

		if (nonce != xft_control.heartbeat_seen) {
			on_each_cpu(xft_push_heartbeat, &nonce, 1);
			xft_control.heartbeats++;
			/* By now every CPU has written its entry. */
			smp_store_release(&xft_control.heartbeat_seen, nonce);
		}
		schedule_timeout_interruptible(msecs_to_jiffies(POLL_IDLE));
	}
	return 0;
}

/*
 * The magic number is stored last, and is not contained in the module's file:
 * whatever a search of memory finds is this page or a forgery.
 */
static void publish(void)
{
	xft_control.self = (u64)(unsigned long)&xft_control;
	xft_control.abi_version = XFT_ABI_VERSION;
	xft_control.control_bytes = sizeof(struct xft_control);
	xft_control.cpu_bytes = sizeof(struct xft_cpu);
	xft_control.entry_bytes = sizeof(struct xft_entry);
	get_random_bytes(xft_control.nonce, sizeof(xft_control.nonce));
	xft_control.mail = (u64)(unsigned long)xft_mail;
	xft_control.mail_bytes = XFT_MAIL_BYTES;
	/* By now the whole page is valid. */
	smp_store_release(&xft_control.magic, XFT_MAGIC);
}

static void withdraw(void)
{
	WRITE_ONCE(xft_control.enabled, 0);
	WRITE_ONCE(xft_control.magic, 0);
	if (heart)
		kthread_stop(heart);
	if (mailbox)
		kthread_stop(mailbox);
	xft_graph_exit();
	xft_tracefs_exit();
	vfree(xft_mail);
}

static int __init xft_init(void)
{
	int result = xft_kernel_init();

	if (result)
		return result;
	xft_mail = vzalloc(XFT_MAIL_BYTES);
	if (!xft_mail)
		return -ENOMEM;
	result = xft_graph_init(ring_kib);
	if (result)
		goto failed;
	result = xft_tracefs_init();
	if (result) {
		pr_warn("xftrace: no tracefs (%d): the host cannot drive the stock tracers\n",
			result);
		strscpy(xft_control.missing, "tracefs",
			sizeof(xft_control.missing));
	}
	mailbox = kthread_run(mailbox_thread, NULL, "xftrace");
	if (IS_ERR(mailbox)) {
		result = PTR_ERR(mailbox);
		mailbox = NULL;
		goto failed;
	}
	heart = kthread_run(heart_thread, NULL, "xftrace_heart");
	if (IS_ERR(heart)) {
		result = PTR_ERR(heart);
		heart = NULL;
		goto failed;
	}
	publish();
	pr_info("xftrace: ready\n");
	return 0;

failed:
	withdraw();
	return result;
}

static void __exit xft_exit(void)
{
	withdraw();
	pr_info("xftrace: gone\n");
}

module_init(xft_init);
module_exit(xft_exit);

MODULE_DESCRIPTION("Function graph tracer sealed with keys from the host");
MODULE_AUTHOR("The xftrace authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.2.0");
