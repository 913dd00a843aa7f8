// SPDX-License-Identifier: GPL-2.0
/*
 * The function graph handlers.
 *
 * A handler runs with interrupts off, calls nothing that can be traced except
 * on roots, and writes 64 bytes: the body, the seal and the sequence number,
 * and then advances the head of the ring. An NMI is counted but not recorded,
 * because it could happen while another entry is being written.
 */
#include <linux/kernel.h>
#include <linux/ftrace.h>
#include <linux/hash.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/smp.h>
#include <linux/trace_clock.h>
#include "entry.h"

#define ROOT_BITS 11
#define ROOT_SLOTS (1 << ROOT_BITS)
/*
 * The maximum number of jumps from function to function that are followed back
 * to a call.
 */
#define TAIL_CALLS 8

/* Before 15115830c887 (5.11), its only name was in_irq(). */
#ifndef in_hardirq
#define in_hardirq() in_irq()
#endif

static u64 roots[ROOT_SLOTS];
static u64 ranges[2 * XFT_MAX_RANGES];
static u32 range_count;
static unsigned long return_trampoline;

DEFINE_STATIC_CALL_NULL(xft_stack_entry, ftrace_graph_get_ret_stack);

#ifdef XFT_MANY_USERS
DEFINE_STATIC_CALL_NULL(xft_task_variable, fgraph_get_task_var);
static bool has_task_variable;
#endif

static noinline void push_new_comm(struct xft_cpu *cpu, u64 comm0, u64 comm1)
{
	struct xft_entry entry = {};

	cpu->comm_pid = current->pid;
	cpu->comm[0] = comm0;
	cpu->comm[1] = comm1;
	entry.kind = XFT_KIND_COMM;
	entry.time = trace_clock_local();
	entry.func = comm0;
	entry.caller = comm1;
	entry.argument = current->tgid;
	entry.pid = current->pid;
	push(cpu, &entry);
}

/*
 * Records the current task's pid and name if the last entry of this ring was of
 * another task or its name has changed.
 */
static __always_inline void push_comm(struct xft_cpu *cpu)
{
	u64 comm[2];

	BUILD_BUG_ON(sizeof(comm) != TASK_COMM_LEN);
	memcpy(comm, current->comm, sizeof(comm));
	if (unlikely(cpu->comm_pid != current->pid || cpu->comm[0] != comm[0] ||
		     cpu->comm[1] != comm[1]))
		push_new_comm(cpu, comm[0], comm[1]);
}

static __always_inline bool is_root_function(u64 func)
{
	u32 slot = hash_64(func, ROOT_BITS);

	for (; roots[slot]; slot = (slot + 1) % ROOT_SLOTS)
		if (roots[slot] == func)
			return true;
	return false;
}

static __always_inline bool in_ranges(u64 address)
{
	u32 i;

	for (i = 0; i < range_count; i++)
		if (address >= ranges[2 * i] && address < ranges[2 * i + 1])
			return true;
	return false;
}

/*
 * The address to which the traced function will return. If another traced
 * function jumped to it, the stack holds the tracer's trampoline, and the
 * address belongs to that other function.
 */
static __always_inline u64 caller_address(u8 *flags)
{
	struct ftrace_ret_stack *frame;
	int i;

	for (i = 0; i < TAIL_CALLS; i++) {
		frame = static_call(xft_stack_entry)(current, i);
		if (!frame)
			return 0;
		if (likely(frame->ret != return_trampoline))
			return frame->ret;
		*flags |= XFT_ENTRY_TAIL_CALL;
	}
	return return_trampoline;
}

static noinline int on_entry(unsigned long func, int depth,
			     struct fgraph_ops *ops)
{
	struct xft_entry entry;
	struct xft_cpu *cpu;
	struct pt_regs *regs;
	unsigned long irqs;
#ifdef XFT_MANY_USERS
	unsigned long *inside = NULL;
	int outermost = depth;
#endif
	u32 settings, nr = 0;
	u64 caller;
	u8 flags = 0;
	bool root, interrupt;

	if (unlikely(in_nmi())) {
		xft_cpus[raw_smp_processor_id()].dropped_nmi++;
		return 0;
	}
	settings = xft_control.flags;
	interrupt = in_hardirq() || in_serving_softirq();
	if (interrupt && !(settings & XFT_INTERRUPTS))
		return 0;

#ifdef XFT_MANY_USERS
	/*
	 * Other users trace as well, so the depth must be counted from our own
	 * outermost function.
	 */
	if (likely(has_task_variable)) {
		inside = static_call(xft_task_variable)(ops);
		depth = *inside ? depth - (int)(*inside - 1) : 0;
	}
#endif
	if (depth < 0)
		depth = 0;
	if (depth > 0) {
		if (xft_control.max_depth && depth >= xft_control.max_depth)
			return 0;
		/* A hook calls the function that it has replaced. */
		root = is_root_function(func);
		caller = caller_address(&flags);
	} else {
		caller = caller_address(&flags);
		root = in_ranges(caller) || is_root_function(func);
		if (!root && !(settings & XFT_ANY_ROOT))
			return 0;
	}

	local_irq_save(irqs);
	cpu = &xft_cpus[raw_smp_processor_id()];
	if (unlikely(!begin(cpu))) {
		local_irq_restore(irqs);
		return 0;
	}
	push_comm(cpu);
	regs = NULL;
	if (root && (settings & XFT_ARGUMENTS) && !interrupt &&
	    !(current->flags & PF_KTHREAD)) {
		/*
		 * A root that is called by a hook has the system call's
		 * arguments too.
		 */
		regs = task_pt_regs(current);
		nr = regs->orig_ax;
		if (nr >= XFT_SYSCALLS)
			regs = NULL;
	}
	entry.time = trace_clock_local();
	entry.func = func;
	entry.caller = caller;
	entry.argument = regs ? regs->di : 0;
	entry.pid = current->pid;
	entry.depth = depth;
	entry.kind = XFT_KIND_ENTRY;
	entry.flags = flags | (root ? XFT_ENTRY_ROOT : 0) |
		      (interrupt ? XFT_ENTRY_INTERRUPT : 0);
	entry.extra = regs ? nr + 1 : 0;
	push(cpu, &entry);
	if (regs)
		xft_push_arguments(cpu, regs, nr, depth);
	end(cpu);
	local_irq_restore(irqs);

#ifdef XFT_MANY_USERS
	if (inside && !depth)
		*inside = outermost + 1;
#endif
	return 1;
}

static noinline void on_return(unsigned long func, int depth, u64 time,
			       u64 spent, struct fgraph_ops *ops)
{
	struct xft_entry entry;
	struct xft_cpu *cpu;
	unsigned long irqs;
	u8 flags = 0;
	bool interrupt;

#ifdef XFT_MANY_USERS
	if (likely(has_task_variable)) {
		unsigned long *inside = static_call(xft_task_variable)(ops);
		int outermost = depth;

		depth = *inside ? depth - (int)(*inside - 1) : 0;
		if (*inside && outermost <= (int)(*inside - 1))
			*inside = 0;
	}
#endif
	if (!READ_ONCE(xft_control.enabled))
		return;
	if (unlikely(in_nmi())) {
		xft_cpus[raw_smp_processor_id()].dropped_nmi++;
		return;
	}
	interrupt = in_hardirq() || in_serving_softirq();
	entry.caller = caller_address(&flags);

	local_irq_save(irqs);
	cpu = &xft_cpus[raw_smp_processor_id()];
	if (unlikely(!begin(cpu))) {
		local_irq_restore(irqs);
		return;
	}
	push_comm(cpu);
	entry.time = time ?: trace_clock_local();
	entry.func = func;
	entry.argument = spent;
	entry.pid = current->pid;
	entry.depth = depth < 0 ? 0 : depth;
	entry.kind = XFT_KIND_RETURN;
	entry.flags = flags | (interrupt ? XFT_ENTRY_INTERRUPT : 0);
	entry.extra = 0;
	push(cpu, &entry);
	end(cpu);
	local_irq_restore(irqs);
}

#ifdef XFT_HAS_RETTIME
#define RETURN_TIME(trace) ((trace)->rettime)
#else
#define RETURN_TIME(trace) 0
#endif
#ifdef XFT_HAS_CALLTIME
#define TIME_SPENT(trace) ((trace)->rettime - (trace)->calltime)
#else
#define TIME_SPENT(trace) 0
#endif

#if defined(XFT_HANDLER_REGS)
static int graph_entry(struct ftrace_graph_ent *trace, struct fgraph_ops *ops,
		       struct ftrace_regs *regs)
{
	if (!READ_ONCE(xft_control.enabled))
		return 0;
	return on_entry(trace->func, trace->depth, ops);
}

static void graph_return(struct ftrace_graph_ret *trace, struct fgraph_ops *ops,
			 struct ftrace_regs *regs)
{
	on_return(trace->func, trace->depth, RETURN_TIME(trace),
		  TIME_SPENT(trace), ops);
}
#elif defined(XFT_MANY_USERS)
static int graph_entry(struct ftrace_graph_ent *trace, struct fgraph_ops *ops)
{
	if (!READ_ONCE(xft_control.enabled))
		return 0;
	return on_entry(trace->func, trace->depth, ops);
}

static void graph_return(struct ftrace_graph_ret *trace, struct fgraph_ops *ops)
{
	on_return(trace->func, trace->depth, RETURN_TIME(trace),
		  TIME_SPENT(trace), ops);
}
#else
static int graph_entry(struct ftrace_graph_ent *trace)
{
	if (!READ_ONCE(xft_control.enabled))
		return 0;
	return on_entry(trace->func, trace->depth, NULL);
}

static void graph_return(struct ftrace_graph_ret *trace)
{
	on_return(trace->func, trace->depth, RETURN_TIME(trace),
		  TIME_SPENT(trace), NULL);
}
#endif

struct fgraph_ops xft_graph_ops = {
	.entryfunc = graph_entry,
	.retfunc = graph_return,
};

/* --- entries of the module's threads --- */

static void push_own(u8 kind, u64 func, u64 caller, u64 argument)
{
	struct xft_entry entry = {};
	struct xft_cpu *cpu;
	unsigned long irqs;

	local_irq_save(irqs);
	cpu = &xft_cpus[raw_smp_processor_id()];
	if (begin(cpu)) {
		/*
		 * Before the first key, no host is listening, so there is
		 * nothing to write, nor to count as dropped.
		 */
		if (cpu->ack_epoch || READ_ONCE(cpu->slot_epoch)) {
			entry.kind = kind;
			entry.time = trace_clock_local();
			entry.func = func;
			entry.caller = caller;
			entry.argument = argument;
			push(cpu, &entry);
		}
		end(cpu);
	}
	local_irq_restore(irqs);
}

/* Runs on every CPU, so that even an idle CPU takes its next key. */
void xft_push_heartbeat(void *nonce)
{
	struct xft_cpu *cpu = &xft_cpus[raw_smp_processor_id()];

	push_own(XFT_KIND_HEARTBEAT, *(u64 *)nonce,
		 (READ_ONCE(xft_control.enabled) ? 1 : 0) |
			 (xft_control.registered ? 2 : 0) |
			 (READ_ONCE(xft_control.parked) ? 4 : 0),
		 cpu->dropped_nmi + cpu->dropped_unkeyed + cpu->dropped_nested);
}

void xft_push_command(u64 number, u64 command, s64 result)
{
	push_own(XFT_KIND_COMMAND, number, command, result);
}

/* --- what is traced --- */

void xft_set_roots(const struct xft_config *config)
{
	const u64 *functions = (const u64 *)(config + 1);
	u32 i, slot, count = config->root_count;

	memset(roots, 0, sizeof(roots));
	for (i = 0; i < count; i++) {
		slot = hash_64(functions[i], ROOT_BITS);
		while (roots[slot])
			slot = (slot + 1) % ROOT_SLOTS;
		roots[slot] = functions[i];
	}
	memcpy(ranges, config->ranges, sizeof(ranges));
	range_count = config->range_count;
}

int xft_handlers_init(void)
{
	void *address = (void *)xft_lookup("ftrace_graph_get_ret_stack");

	return_trampoline = xft_lookup("return_to_handler");
	if (!address || !return_trampoline) {
		pr_err("xftrace: this kernel has no function graph tracer\n");
		return -ENOENT;
	}
	xft_set_call(xft_stack_entry, address);
#ifdef XFT_MANY_USERS
	address = (void *)xft_lookup("fgraph_get_task_var");
	if (address) {
		xft_set_call(xft_task_variable, address);
		has_task_variable = true;
	}
#endif
	return 0;
}
