// SPDX-License-Identifier: GPL-2.0
/*
 * Push_Raw: the function graph handlers, and the rings they write to.
 *
 * A handler runs with interrupts off, calls nothing that can be traced but on
 * roots, and writes 64 bytes: the body, the seal, the sequence number, and
 * then the ring's head. An NMI is counted, not recorded: it could come in the
 * middle of another entry.
 */
#include <linux/kernel.h>
#include <linux/ftrace.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/static_call.h>
#include <linux/trace_clock.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <asm/syscall.h>
#include "module.h"
#include "seal.h"

#define ROOT_BITS 11
#define ROOT_SLOTS (1 << ROOT_BITS)
/* How many jumps from function to function are followed back to a call. */
#define TAIL_CALLS 8

struct xft_cpu *xft_cpus;

static u64 roots[ROOT_SLOTS];
static u64 ranges[2 * XFT_MAX_RANGES];
static u32 range_count;
static u8 path_arguments[XFT_SYSCALLS];
static unsigned long return_trampoline;

DEFINE_STATIC_CALL_NULL(xft_stack_entry, ftrace_graph_get_ret_stack);
DEFINE_STATIC_CALL_NULL(xft_location, ftrace_location);

#ifdef XFT_MANY_USERS
DEFINE_STATIC_CALL_NULL(xft_task_variable, fgraph_get_task_var);
static bool has_task_variable;
#else
static struct ftrace_ops *global_filter;
#endif

/* --- entries --- */

/* Takes the host's next key, if there is one; false: there is none at all. */
static __always_inline bool take_key(struct xft_cpu *cpu, u8 *flags)
{
	u64 epoch = READ_ONCE(cpu->slot_epoch);
	u64 key0, key1;

	if (likely(!epoch))
		return cpu->ack_epoch != 0;

	/* The host stores the epoch after the key. */
	smp_rmb();
	key0 = READ_ONCE(cpu->slot_key[0]);
	key1 = READ_ONCE(cpu->slot_key[1]);
	WRITE_ONCE(cpu->slot_key[0], 0);
	WRITE_ONCE(cpu->slot_key[1], 0);
	if (xft_control.seal == XFT_SEAL_RATCHET) {
		xft_rekey(cpu->key, key0, key1);
	} else {
		cpu->key[0] = key0;
		cpu->key[1] = key1;
	}
	cpu->keys_taken++;
	WRITE_ONCE(cpu->ack_sequence, cpu->head + 1);
	/* Who sees the epoch sees since when. */
	smp_store_release(&cpu->ack_epoch, epoch);
	/* Empty: the host may put the next key there. */
	smp_store_release(&cpu->slot_epoch, 0);
	*flags |= XFT_ENTRY_REKEYED;
	return true;
}

/* Seals an entry and puts it into the ring. Interrupts are off. */
static __always_inline void push(struct xft_cpu *cpu, struct xft_entry *entry)
{
	u64 *words = (u64 *)entry;
	u64 *to;
	u64 next;

	if (unlikely(!take_key(cpu, &entry->flags))) {
		cpu->dropped_unkeyed++;
		return;
	}
	next = cpu->head + 1;
	entry->epoch = cpu->ack_epoch;
	entry->sequence = next;
	switch (xft_control.seal) {
	case XFT_SEAL_RATCHET:
		words[0] = xft_mac(cpu->key, words);
		xft_ratchet(cpu->key);
		break;
	case XFT_SEAL_SIPHASH:
		words[0] = xft_mac(cpu->key, words);
		break;
	case XFT_SEAL_XOR:
		xft_xor(cpu->key, words);
		break;
	default:
		words[0] = 0;
	}
	to = (u64 *)(unsigned long)cpu->ring +
	     ((next - 1) & (cpu->ring_entries - 1)) * 8;
	to[0] = words[0];
	to[1] = words[1];
	to[2] = words[2];
	to[3] = words[3];
	to[4] = words[4];
	to[5] = words[5];
	to[6] = words[6];
	/* The number comes last: a torn entry has another one. */
	smp_store_release(&to[7], words[7]);
	/* Up to here the host may read. */
	smp_store_release(&cpu->head, next);
}

static __always_inline bool begin(struct xft_cpu *cpu)
{
	if (unlikely(cpu->busy)) {
		cpu->dropped_nested++;
		return false;
	}
	WRITE_ONCE(cpu->busy, 1);
	barrier();
	return true;
}

static __always_inline void end(struct xft_cpu *cpu)
{
	barrier();
	WRITE_ONCE(cpu->busy, 0);
}

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

/* Who a pid is, whenever another task than before writes to this ring. */
static __always_inline void push_comm(struct xft_cpu *cpu)
{
	u64 comm[2];

	BUILD_BUG_ON(sizeof(comm) != TASK_COMM_LEN);
	memcpy(comm, current->comm, sizeof(comm));
	if (unlikely(cpu->comm_pid != current->pid || cpu->comm[0] != comm[0] ||
		     cpu->comm[1] != comm[1]))
		push_new_comm(cpu, comm[0], comm[1]);
}

/* Up to XFT_PATH_BYTES of a string; a page that is not there is no fault. */
static __always_inline bool copy_piece(u64 *words, u64 address)
{
	char *text = (char *)words;
	u32 size = min_t(u32, XFT_PATH_BYTES,
			 PAGE_SIZE - offset_in_page(address));

	memset(words, 0, XFT_PATH_BYTES);
	if (copy_from_user_nofault(text, (void __user *)address, size))
		return false;
	/* The next page must not be missed when the string ends before it. */
	return size == XFT_PATH_BYTES || memchr(text, 0, size) ||
	       !copy_from_user_nofault(text + size,
				       (void __user *)(address + size),
				       XFT_PATH_BYTES - size);
}

/* The string of a path argument, in pieces. */
static noinline void push_path(struct xft_cpu *cpu, u32 index, u64 address,
			       u16 depth)
{
	struct xft_entry entry = {};
	u64 words[XFT_PATH_BYTES / 8];
	u32 piece, length = XFT_PATH_BYTES;

	for (piece = 0; piece < XFT_PATH_PIECES && length == XFT_PATH_BYTES;
	     piece++) {
		entry.extra = index << 8 | piece;
		if (copy_piece(words, address)) {
			length = strnlen((char *)words, XFT_PATH_BYTES);
			memset((char *)words + length, 0,
			       XFT_PATH_BYTES - length);
		} else {
			entry.extra = index << 8 | 0xff;
			memset(words, 0xff, sizeof(words));
			length = 0;
		}
		entry.time = words[0];
		entry.func = words[1];
		entry.caller = words[2];
		entry.argument = words[3];
		entry.pid = current->pid;
		entry.depth = depth;
		entry.kind = XFT_KIND_PATH;
		entry.flags = 0;
		push(cpu, &entry);
		address += XFT_PATH_BYTES;
	}
}

static noinline void push_arguments(struct xft_cpu *cpu,
				    const struct pt_regs *regs, u32 nr,
				    u16 depth)
{
	struct xft_entry entry = {};
	u64 value[6] = { regs->di, regs->si, regs->dx,
			 regs->r10, regs->r8, regs->r9 };
	u32 i, paths;

	entry.kind = XFT_KIND_ARGUMENTS;
	entry.time = value[1];
	entry.func = value[2];
	entry.caller = value[3];
	entry.argument = value[4];
	entry.pid = value[5];
	entry.extra = value[5] >> 32;
	entry.depth = depth;
	push(cpu, &entry);
	paths = nr < XFT_SYSCALLS ? path_arguments[nr] : 0;
	for (i = 0; i < 6; i++)
		if (paths & 1 << i && value[i])
			push_path(cpu, i, value[i], depth);
}

/* --- the handlers --- */

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
 * Where the traced function will return to. When it was jumped to by another
 * traced function, the stack holds the tracer's trampoline, and the address
 * belongs to that function.
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
	/* Others trace too, so the depth says nothing of our own roots. */
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
		/* A hook calls the function that it has taken the place of. */
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
		/* A root that a hook calls has a system call's arguments too. */
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
		push_arguments(cpu, regs, nr, depth);
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

static struct fgraph_ops graph_ops = {
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
		/* Before the first key there is nobody to tell it to. */
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

/* Runs on every CPU, so that each takes its next key, idle or not. */
void xft_push_heartbeat(void *nonce)
{
	struct xft_cpu *cpu = &xft_cpus[raw_smp_processor_id()];

	push_own(XFT_KIND_HEARTBEAT, *(u64 *)nonce,
		 (READ_ONCE(xft_control.enabled) ? 1 : 0) |
			 (xft_control.registered ? 2 : 0),
		 cpu->dropped_nmi + cpu->dropped_unkeyed + cpu->dropped_nested);
}

void xft_push_command(u64 number, u64 command, s64 result)
{
	push_own(XFT_KIND_COMMAND, number, command, result);
}

/* --- control --- */

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

static int set_filter(const u64 *functions, u32 count)
{
#ifdef XFT_MANY_USERS
	struct ftrace_ops *ops = &graph_ops.ops;
#else
	/* Here the function graph goes by the filter that all share. */
	struct ftrace_ops *ops = global_filter;
#endif

	if (!count)
		return ftrace_set_filter(ops, NULL, 0, 1);
	return ftrace_set_filter_ips(ops, (unsigned long *)functions, count, 0,
				     1);
}

void xft_graph_unregister(void)
{
	if (!xft_control.registered)
		return;
	xft_say(XFT_PHASE_UNREGISTERING, "unregistering");
	xft_control.registered = 0;
	xft_unregister_graph(&graph_ops);
	wait_for_handlers();
	set_filter(NULL, 0);
}

static void set_roots(const u64 *functions, u32 count)
{
	u32 i, slot;

	memset(roots, 0, sizeof(roots));
	for (i = 0; i < count; i++) {
		slot = hash_64(functions[i], ROOT_BITS);
		while (roots[slot])
			slot = (slot + 1) % ROOT_SLOTS;
		roots[slot] = functions[i];
	}
}

/* Moves the functions that Ftrace knows to the front; says how many. */
static u32 keep_known(u64 *functions, u32 count)
{
	u32 i, kept = 0;

	for (i = 0; i < count; i++)
		if (static_call(xft_location)(functions[i]))
			functions[kept++] = functions[i];
	return kept;
}

/* The number of functions that Ftrace does not know, or an error. */
int xft_graph_configure(struct xft_config *config, u32 bytes)
{
	u64 *functions = (u64 *)(config + 1);
	u32 count;
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
	set_roots(functions, config->root_count);
	memcpy(ranges, config->ranges, sizeof(ranges));
	range_count = config->range_count;
	memcpy(path_arguments, config->path_arguments, sizeof(path_arguments));
	xft_control.flags = config->flags;
	xft_control.max_depth = config->max_depth;
	xft_control.seal = config->seal;

	xft_say(XFT_PHASE_FILTERING, "setting the filter");
	functions += config->root_count;
	count = keep_known(functions, config->filter_count);
	/* An empty filter would mean all functions. */
	if (!count && !(config->flags & XFT_ALL_FUNCTIONS))
		return -ENOENT;
	result = set_filter(functions,
			    config->flags & XFT_ALL_FUNCTIONS ? 0 : count);
	if (result)
		return result;
	xft_say(XFT_PHASE_REGISTERING, "registering");
	result = xft_register_graph(&graph_ops);
	if (result) {
		set_filter(NULL, 0);
		return result;
	}
	xft_control.registered = 1;
	return config->filter_count - count;
}

int xft_graph_reset(void)
{
	u32 i;

	if (READ_ONCE(xft_control.enabled))
		return -EBUSY;
	/* Handlers that still run saw it enabled. */
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

static int find_functions(void)
{
	void *address = (void *)xft_lookup("ftrace_graph_get_ret_stack");

	return_trampoline = xft_lookup("return_to_handler");
	if (!address || !return_trampoline) {
		pr_err("xftrace: this kernel has no function graph tracer\n");
		return -ENOENT;
	}
	static_call_update(xft_stack_entry, address);
	address = (void *)xft_lookup("ftrace_location");
	if (!address) {
		pr_err("xftrace: this kernel has no ftrace_location\n");
		return -ENOENT;
	}
	static_call_update(xft_location, address);
#ifdef XFT_MANY_USERS
	address = (void *)xft_lookup("fgraph_get_task_var");
	if (address) {
		static_call_update(xft_task_variable, address);
		has_task_variable = true;
	}
#else
	global_filter = (struct ftrace_ops *)xft_lookup("global_ops");
	if (!global_filter) {
		pr_err("xftrace: this kernel has no global_ops\n");
		return -ENOENT;
	}
#endif
	return 0;
}

int xft_graph_init(unsigned int ring_kib)
{
	u64 entries = rounddown_pow_of_two(max(ring_kib, 64U)) * 1024ULL /
		      sizeof(struct xft_entry);
	int result = find_functions();
	u32 i;

	BUILD_BUG_ON(sizeof(struct xft_entry) != 64);
	BUILD_BUG_ON(sizeof(struct xft_cpu) != 256);
	if (result)
		return result;
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
	xft_control.graph_ops = (u64)(unsigned long)&graph_ops;
	xft_control.entry_handler = (u64)(unsigned long)graph_entry;
	xft_control.return_handler = (u64)(unsigned long)graph_return;
	return 0;
}

void xft_graph_exit(void)
{
	u32 i;

	if (!xft_cpus)
		return;
	xft_graph_unregister();
	for (i = 0; i < xft_control.cpu_count; i++) {
		/* Keys and traces must not outlive the module. */
		memzero_explicit(xft_cpus[i].key, sizeof(xft_cpus[i].key));
		if (xft_cpus[i].ring)
			vfree((void *)(unsigned long)xft_cpus[i].ring);
	}
	vfree(xft_cpus);
	xft_cpus = NULL;
}
