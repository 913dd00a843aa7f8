// SPDX-License-Identifier: GPL-2.0
/*
 * Which functions Ftrace calls the module for.
 */
#include <linux/kernel.h>
#include <linux/ftrace.h>
#include <linux/string.h>
#include "module.h"

DEFINE_STATIC_CALL_NULL(xft_location, ftrace_location);

#ifdef XFT_MANY_USERS
#define THE_FILTER (&xft_graph_ops.ops)
#else
/*
 * On these kernels, the function graph uses the filter shared by all tracers.
 */
static struct ftrace_ops *global_filter;
#define THE_FILTER global_filter
#endif

#ifdef XFT_FILTER_IPS
static int set_functions(u64 *functions, u32 count)
{
	return ftrace_set_filter_ips(THE_FILTER, (unsigned long *)functions,
				     count, 0, 1);
}

static int find_setters(void)
{
	return 0;
}
#else
/*
 * Before 4f554e955614 (5.18), only a single function can be added, and the
 * kernel copies the filter and changes its code each time. Therefore the
 * functions are collected in a filter that no tracer uses, and moved to the
 * real one in a single step. The kernel does the same with what is written to
 * set_ftrace_filter, by two functions that are static.
 */
int xft_add_to_hash(struct ftrace_hash *hash, unsigned long address);
int xft_move_hash(struct ftrace_ops *ops, struct ftrace_hash **to,
		  struct ftrace_hash *from, int enable);
DEFINE_STATIC_CALL_NULL(xft_add, xft_add_to_hash);
DEFINE_STATIC_CALL_NULL(xft_move, xft_move_hash);
static struct mutex *filters_lock;
/* Belongs to no tracer. */
static struct ftrace_ops collected;

static int move_collected(void)
{
	struct ftrace_ops_hash *filter = THE_FILTER->func_hash;
	int result;

	mutex_lock(&filter->regex_lock);
	mutex_lock(filters_lock);
	result = static_call(xft_move)(
		THE_FILTER, (struct ftrace_hash **)&filter->filter_hash,
		(struct ftrace_hash *)collected.func_hash->filter_hash, 1);
	mutex_unlock(filters_lock);
	mutex_unlock(&filter->regex_lock);
	return result;
}

static int set_functions(u64 *functions, u32 count)
{
	int result = ftrace_set_filter_ip(&collected, functions[0], 0, 1);
	u32 i;

	for (i = 1; i < count && !result; i++)
		result = static_call(xft_add)(
			(struct ftrace_hash *)collected.func_hash->filter_hash,
			functions[i]);
	if (!result)
		result = move_collected();
	ftrace_set_filter(&collected, NULL, 0, 1);
	return result;
}

static int find_setters(void)
{
	void *add = xft_need("add_hash_entry");
	void *move = xft_need("ftrace_hash_move_and_update_ops");

	filters_lock = xft_need("ftrace_lock");
	if (!add || !move || !filters_lock)
		return -ENOENT;
	xft_set_call(xft_add, add);
	xft_set_call(xft_move, move);
	return 0;
}
#endif

/* Sets the filter; without functions, all functions are traced. */
int xft_set_filter(u64 *functions, u32 count)
{
	if (!count)
		return ftrace_set_filter(THE_FILTER, NULL, 0, 1);
	return set_functions(functions, count);
}

/* Moves the functions that Ftrace knows to the front; returns their number. */
u32 xft_keep_known(u64 *functions, u32 count)
{
	u32 i, kept = 0;

	for (i = 0; i < count; i++)
		if (static_call(xft_location)(functions[i]))
			functions[kept++] = functions[i];
	return kept;
}

int xft_filter_init(void)
{
	void *address = xft_need("ftrace_location");

	if (!address)
		return -ENOENT;
	xft_set_call(xft_location, address);
#ifndef XFT_MANY_USERS
	global_filter = xft_need("global_ops");
	if (!global_filter)
		return -ENOENT;
#endif
	return find_setters();
}
