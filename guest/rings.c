// SPDX-License-Identifier: GPL-2.0
/*
 * The parts of a trace besides its handlers and its filter: the registration
 * with the function graph, and the rings.
 */
#include <linux/kernel.h>
#include <linux/ftrace.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include "module.h"

struct xft_cpu *xft_cpus;

static void nothing(void *unused)
{
}

/* Waits until no CPU and no task can be inside a handler. */
static void wait_for_handlers(void)
{
	on_each_cpu(nothing, NULL, 1);
	synchronize_rcu();
	synchronize_rcu_tasks();
}

void xft_graph_unregister(void)
{
	if (!xft_control.registered)
		return;
	xft_say(XFT_PHASE_UNREGISTERING, "unregistering");
	xft_control.registered = 0;
	xft_unregister_graph(&xft_graph_ops);
	wait_for_handlers();
	xft_park_forget();
	xft_set_filter(NULL, 0);
}

/* Returns the number of functions that Ftrace does not know, or an error. */
int xft_graph_configure(struct xft_config *config, u32 bytes)
{
	u64 *functions = (u64 *)(config + 1);
	u32 count, unknown;
	u64 needed = sizeof(*config) +
		     8ULL * ((u64)config->root_count + config->filter_count);
	int result;

	if (bytes < sizeof(*config) || bytes < needed ||
	    config->root_count > XFT_MAX_ROOTS ||
	    config->range_count > XFT_MAX_RANGES ||
	    config->seal > XFT_SEAL_RATCHET ||
	    (!config->filter_count && !(config->flags & XFT_ALL_FUNCTIONS)))
		return -EINVAL;

	xft_graph_unregister();
	xft_set_roots(config);
	xft_set_path_arguments(config->path_arguments);
	xft_control.flags = config->flags;
	xft_control.max_depth = config->max_depth;
	xft_control.seal = config->seal;

	xft_say(XFT_PHASE_FILTERING, "setting the filter");
	functions += config->root_count;
	count = xft_keep_known(functions, config->filter_count);
	unknown = config->filter_count - count;
	/* An empty filter would mean all functions. */
	if (!count && !(config->flags & XFT_ALL_FUNCTIONS))
		return -ENOENT;
	if (config->flags & XFT_ALL_FUNCTIONS)
		count = 0;
	result = xft_set_filter(functions, count);
	if (result)
		return result;
	xft_say(XFT_PHASE_REGISTERING, "registering");
	result = xft_register_graph(&xft_graph_ops);
	if (result) {
		xft_set_filter(NULL, 0);
		return result;
	}
	xft_park_remember(functions, count, config->idle_ms);
	xft_control.registered = 1;
	return unknown;
}

int xft_graph_reset(void)
{
	u32 i;

	if (READ_ONCE(xft_control.enabled))
		return -EBUSY;
	/* Handlers that are still running may have seen it enabled. */
	wait_for_handlers();
	for (i = 0; i < xft_control.cpu_count; i++) {
		struct xft_cpu *cpu = &xft_cpus[i];

		if (!cpu->ring)
			continue;
		memset((void *)(unsigned long)cpu->ring, 0,
		       cpu->ring_entries * sizeof(struct xft_entry));
		cpu->head = 0;
		cpu->ack_epoch = 0;
		cpu->ack_sequence = 0;
		cpu->keys_taken = 0;
		cpu->dropped_nmi = 0;
		cpu->dropped_unkeyed = 0;
		cpu->dropped_nested = 0;
		memset(cpu->slot_key, 0, sizeof(cpu->slot_key));
		cpu->slot_epoch = 0;
		memset(cpu->key, 0, sizeof(cpu->key));
		cpu->comm_pid = 0;
		memset(cpu->comm, 0, sizeof(cpu->comm));
	}
	xft_control.generation++;
	return 0;
}

int xft_graph_init(unsigned int ring_kib)
{
	u64 entries = rounddown_pow_of_two(max(ring_kib, 64U)) * 1024ULL /
		      sizeof(struct xft_entry);
	int result = xft_filter_init();
	u32 i;

	BUILD_BUG_ON(sizeof(struct xft_entry) != 64);
	BUILD_BUG_ON(sizeof(struct xft_cpu) != 256);
	if (!result)
		result = xft_handlers_init();
	if (result)
		return result;
	xft_park_init();
	xft_cpus = vzalloc(array_size(nr_cpu_ids, sizeof(*xft_cpus)));
	if (!xft_cpus)
		return -ENOMEM;
	xft_control.cpus = (u64)(unsigned long)xft_cpus;
	xft_control.cpu_count = nr_cpu_ids;
	for_each_possible_cpu(i) {
		void *ring = vzalloc_node(entries * sizeof(struct xft_entry),
					  cpu_to_node(i));

		if (!ring) {
			xft_graph_exit();
			return -ENOMEM;
		}
		xft_cpus[i].ring = (u64)(unsigned long)ring;
		xft_cpus[i].ring_entries = entries;
	}
	xft_control.graph_ops = (u64)(unsigned long)&xft_graph_ops;
	xft_control.entry_handler = (u64)(unsigned long)xft_graph_ops.entryfunc;
	xft_control.return_handler = (u64)(unsigned long)xft_graph_ops.retfunc;
	return 0;
}

void xft_graph_exit(void)
{
	u32 i;

	if (!xft_cpus)
		return;
	xft_graph_unregister();
	for (i = 0; i < xft_control.cpu_count; i++) {
		struct xft_cpu *cpu = &xft_cpus[i];
		void *ring = (void *)(unsigned long)cpu->ring;

		/*
		 * Keys must not outlive the module: neither the one in use nor
		 * one that no entry has taken.
		 */
		memzero_explicit(cpu, sizeof(*cpu));
		vfree(ring);
	}
	vfree(xft_cpus);
	xft_cpus = NULL;
}
