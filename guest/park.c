// SPDX-License-Identifier: GPL-2.0
/*
 * Parking. While the host has `enabled` cleared, the kernel still goes as far
 * as asking the module at each call of a traced function. When that has lasted
 * for a while, the filter is exchanged for one function that is never called,
 * and the traced functions run as if nobody traced; when the flag is set, the
 * filter comes back.
 *
 * The module stays registered meanwhile. So nobody takes its place where there
 * is one only, functions that were entered before still hand their return to
 * it, and the host can check handlers and registration at all times.
 */
#include <linux/kernel.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/string.h>
#include "module.h"

/* What goes into the filter when it comes back. */
static u64 *filter;
static u32 filter_count;
static bool all_functions;
/* Where Ftrace knows a function that no running kernel calls; 0: nowhere. */
static u64 never_called;
/* Jiffies of `enabled` being clear; 0: never parked. */
static unsigned long patience;
static unsigned long off_since;
static bool off;

void xft_park_init(void)
{
	u64 address = xft_lookup("panic");

	if (address && xft_keep_known(&address, 1))
		never_called = address;
}

void xft_park_forget(void)
{
	patience = 0;
	off = false;
	WRITE_ONCE(xft_control.parked, 0);
	kvfree(filter);
	filter = NULL;
	filter_count = 0;
}

/* What is traced from now on; without memory for it, it is never parked. */
void xft_park_remember(const u64 *functions, u32 count, u32 idle_ms)
{
	xft_park_forget();
	if (!idle_ms || !never_called)
		return;
	all_functions = !count;
	if (count) {
		filter = kvmalloc_array(count, sizeof(*filter), GFP_KERNEL);
		if (!filter)
			return;
		memcpy(filter, functions, count * sizeof(*filter));
		filter_count = count;
	}
	patience = max(msecs_to_jiffies(idle_ms), 1UL);
}

static void park(void)
{
	xft_say(XFT_PHASE_FILTERING, "parking");
	/*
	 * Who has set the flag and sees that nothing is going on may rely on the
	 * filter: either the flag is seen here, or this phase is seen there.
	 */
	smp_mb();
	if (!READ_ONCE(xft_control.enabled) &&
	    !xft_set_filter(&never_called, 1)) {
		xft_control.parkings++;
		WRITE_ONCE(xft_control.parked, 1);
	}
	xft_say(XFT_PHASE_IDLE, "done");
}

static void take_up(void)
{
	int result = 0;

	xft_say(XFT_PHASE_FILTERING, "setting the filter");
	/* A module of the guest's may be gone, and an empty filter means all. */
	filter_count = xft_keep_known(filter, filter_count);
	if (filter_count || all_functions)
		result = xft_set_filter(filter, filter_count);
	if (!result)
		WRITE_ONCE(xft_control.parked, 0);
	xft_say(XFT_PHASE_IDLE, "done");
}

/* Does what the flag asks for; whether to look again soon. */
bool xft_park_follow(void)
{
	if (!patience || !xft_control.registered)
		return false;
	if (READ_ONCE(xft_control.enabled)) {
		off = false;
		if (!xft_control.parked)
			return false;
		take_up();
		return true;
	}
	if (xft_control.parked)
		return false;
	if (!off) {
		off = true;
		off_since = jiffies;
	} else if (time_after_eq(jiffies, off_since + patience)) {
		off = false;
		park();
	}
	return true;
}
