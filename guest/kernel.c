// SPDX-License-Identifier: GPL-2.0
/*
 * Functions that the kernel does not export. Their addresses come from
 * kallsyms_lookup_name(), and the address of that function from a kprobe. They
 * are called through static calls, which are direct: an indirect call would
 * fault where the kernel has sealed the ENDBR of a function whose address is
 * never taken.
 */
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/fs.h>
#include "module.h"

DEFINE_STATIC_CALL_NULL(xft_lookup_name, xft_lookup);
DEFINE_STATIC_CALL_NULL(xft_register, xft_register_graph);
DEFINE_STATIC_CALL_NULL(xft_unregister, xft_unregister_graph);
DEFINE_STATIC_CALL_NULL(xft_write, xft_vfs_write);
DEFINE_STATIC_CALL_NULL(xft_read, xft_vfs_read);
/*
 * Kernels in which a caller can choose the event systems of an instance have a
 * second parameter here.
 */
struct trace_array *xft_get_instance_of(const char *name, const char *systems);
DEFINE_STATIC_CALL_NULL(xft_get, xft_get_instance_of);
DEFINE_STATIC_CALL_NULL(xft_find, xft_find_instance);
DEFINE_STATIC_CALL_NULL(xft_put, xft_put_instance);
DEFINE_STATIC_CALL_NULL(xft_destroy, xft_destroy_instance);

unsigned long xft_lookup(const char *name)
{
	return static_call(xft_lookup_name)(name);
}

int xft_register_graph(struct fgraph_ops *ops)
{
	return static_call(xft_register)(ops);
}

void xft_unregister_graph(struct fgraph_ops *ops)
{
	static_call(xft_unregister)(ops);
}

ssize_t xft_vfs_write(struct file *file, const char __user *from, size_t size,
		      loff_t *pos)
{
	return static_call(xft_write)(file, from, size, pos);
}

ssize_t xft_vfs_read(struct file *file, char __user *to, size_t size,
		     loff_t *pos)
{
	return static_call(xft_read)(file, to, size, pos);
}

struct trace_array *xft_get_instance(const char *name)
{
	return static_call(xft_get)(name, NULL);
}

struct trace_array *xft_find_instance(const char *name)
{
	return static_call(xft_find)(name);
}

void xft_put_instance(struct trace_array *instance)
{
	static_call(xft_put)(instance);
}

int xft_destroy_instance(struct trace_array *instance)
{
	return static_call(xft_destroy)(instance);
}

/* A kprobe is placed after an ENDBR64; a direct call may go there as well. */
static unsigned long probe_address(const char *name)
{
	struct kprobe probe = { .symbol_name = name };
	unsigned long address;

	if (register_kprobe(&probe))
		return 0;
	address = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	return address;
}

void *xft_need(const char *name)
{
	unsigned long address = xft_lookup(name);

	if (!address)
		pr_err("xftrace: this kernel has no %s\n", name);
	return (void *)address;
}

/* Finds the functions that create and remove instances of Ftrace. */
static int find_instances(void)
{
	void *address = xft_need("trace_array_get_by_name");

	if (!address)
		return -ENOENT;
	xft_set_call(xft_get, address);

	address = xft_need("trace_array_find_get");
	if (!address)
		return -ENOENT;
	xft_set_call(xft_find, address);

	address = xft_need("trace_array_put");
	if (!address)
		return -ENOENT;
	xft_set_call(xft_put, address);

	address = xft_need("trace_array_destroy");
	if (!address)
		return -ENOENT;
	xft_set_call(xft_destroy, address);
	return 0;
}

int xft_kernel_init(void)
{
	void *address = (void *)probe_address("kallsyms_lookup_name");

	if (!address) {
		pr_err("xftrace: kallsyms_lookup_name cannot be probed; the kernel needs CONFIG_KPROBES and CONFIG_KALLSYMS\n");
		return -ENOENT;
	}
	xft_set_call(xft_lookup_name, address);

	address = xft_need("register_ftrace_graph");
	if (!address)
		return -ENOENT;
	xft_set_call(xft_register, address);

	address = xft_need("unregister_ftrace_graph");
	if (!address)
		return -ENOENT;
	xft_set_call(xft_unregister, address);

	address = xft_need("vfs_write");
	if (!address)
		return -ENOENT;
	xft_set_call(xft_write, address);

	address = xft_need("vfs_read");
	if (!address)
		return -ENOENT;
	xft_set_call(xft_read, address);
	return find_instances();
}
