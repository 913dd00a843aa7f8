// SPDX-License-Identifier: GPL-2.0
/*
 * Parking. Even while the host has cleared `enabled`, the kernel calls the
 * module on every call of a traced function. When the flag has been clear for a
 * while, the filter is replaced by a single function that is never called, and
 * the traced functions run as if nothing were traced; when the flag is set
 * again, the filter is restored.
 *
 * The module stays registered meanwhile. Hence no other tracer can take its
 * place on kernels that allow only one, functions that were entered earlier
 * still report their return to it, and the host can check the handlers and the
 * registration at all times.
 */
#include <linux/kernel.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/string.h>
#include "module.h"

/* The filter to be restored. */
static u64 *filter;
static u32 filter_count;
static bool all_functions;
/* Ftrace's address of a function that no running kernel calls; 0: none. */
static u64 never_called;
/* How long `enabled` must be clear, in jiffies; 0: parking is off. */
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

/*
 * Sets what is traced from now on. If memory for it is lacking, parking is off.
 */
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
	 * If the host has set the flag and sees that the module is idle, it may
	 * rely on the filter: either the flag is seen here, or this phase is
	 * seen by the host.
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
	/*
	 * One of the guest's modules may have been unloaded, and an empty
	 * filter would mean all functions.
	 */
	filter_count = xft_keep_known(filter, filter_count);
	if (filter_count || all_functions)
		result = xft_set_filter(filter, filter_count);
	if (!result)
		WRITE_ONCE(xft_control.parked, 0);
	xft_say(XFT_PHASE_IDLE, "done");
}

/*
 * Parks or restores the filter according to the flag. Returns whether it should
 * be called again soon.
 */
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
