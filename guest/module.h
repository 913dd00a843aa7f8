/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the files of the module. */
#ifndef _XFT_MODULE_H
#define _XFT_MODULE_H

#include <linux/ftrace.h>
#include <linux/static_call.h>
#include "xftrace.h"

extern struct xft_control xft_control;
extern struct xft_cpu *xft_cpus;
extern u8 *xft_mail;

#define XFT_MAIL_BYTES (256 * 1024)

/*
 * Before 9432bbd969c6 (5.13), static_call_update() takes only functions of the
 * same type, and no plain address.
 */
#define xft_set_call(name, address) \
	static_call_update(name, (typeof(&STATIC_CALL_TRAMP(name)))(address))

/* kernel.c: kernel functions that are not exported. */
int xft_kernel_init(void);
unsigned long xft_lookup(const char *name);
/* Like xft_lookup(), but logs that the kernel has no such function. */
void *xft_need(const char *name);
int xft_register_graph(struct fgraph_ops *ops);
void xft_unregister_graph(struct fgraph_ops *ops);
ssize_t xft_vfs_write(struct file *file, const char __user *from, size_t size,
		      loff_t *pos);
ssize_t xft_vfs_read(struct file *file, char __user *to, size_t size,
		     loff_t *pos);
struct trace_array;
struct trace_array *xft_get_instance(const char *name);
struct trace_array *xft_find_instance(const char *name);
void xft_put_instance(struct trace_array *instance);
int xft_destroy_instance(struct trace_array *instance);

/* arguments.c: arguments of system calls. */
void xft_set_path_arguments(const u8 *bits);
void xft_push_arguments(struct xft_cpu *cpu, const struct pt_regs *regs,
			u32 nr, u16 depth);

/*
 * seal.c: numbers and seals an entry; false when the CPU has no key yet.
 * Interrupts must be off.
 */
bool xft_seal(struct xft_cpu *cpu, struct xft_entry *entry);

/* graph.c: the handlers. */
extern struct fgraph_ops xft_graph_ops;
int xft_handlers_init(void);
void xft_set_roots(const struct xft_config *config);

/* filter.c: which functions are traced. */
int xft_filter_init(void);
int xft_set_filter(u64 *functions, u32 count);
u32 xft_keep_known(u64 *functions, u32 count);

/* rings.c: registration, rings. */
int xft_graph_init(unsigned int ring_kib);
void xft_graph_exit(void);
int xft_graph_configure(struct xft_config *config, u32 bytes);
void xft_graph_unregister(void);
int xft_graph_reset(void);

/* park.c: replaces the filter while the flag has been clear for a while. */
void xft_park_init(void);
void xft_park_remember(const u64 *functions, u32 count, u32 idle_ms);
void xft_park_forget(void);
bool xft_park_follow(void);

/* graph.c: entries of the module's threads. */
void xft_push_heartbeat(void *nonce);
void xft_push_command(u64 number, u64 command, s64 result);

/* tracefs.c: reads and writes of tracefs files. */
int xft_tracefs_init(void);
void xft_tracefs_enter(void);
void xft_tracefs_leave(void);
void xft_tracefs_exit(void);
ssize_t xft_tracefs_write(const char *path, const char *text, size_t size,
			  bool append);
ssize_t xft_tracefs_read(const char *path, char *to, size_t size, loff_t from);
int xft_tracefs_make_instance(const char *name);
int xft_tracefs_remove_instance(const char *name);

void xft_say(u32 phase, const char *text);

#endif /* _XFT_MODULE_H */
