#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# probe.sh HEADER: prints as compiler options how this kernel calls its function
# graph handlers, which the preprocessor cannot find out. It reads
# include/linux/ftrace.h and not the kernel's version, since distributions
# backport changes.
text=$(tr '\n\t' '  ' <"$1") || exit 1

has() {
	printf '%s' "$text" | grep -qE "$1" && printf ' -D%s' "$2"
}

has 'struct fgraph_ops [{][^}]*struct ftrace_ops +ops' XFT_MANY_USERS
has 'trace_func_graph_ent_t[)] *[(][^)]*struct ftrace_regs' XFT_HANDLER_REGS
has 'struct ftrace_graph_ret [{][^}]*calltime' XFT_HAS_CALLTIME
has 'struct ftrace_graph_ret [{][^}]*rettime' XFT_HAS_RETTIME
echo
