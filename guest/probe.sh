#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# probe.sh HEADER...: prints as compiler options how this kernel declares what
# the module uses, where the preprocessor cannot find it out. It reads
# include/linux/ftrace.h and fs.h and not the kernel's version, since
# distributions backport changes.
text=$(cat -- "$@" </dev/null) || exit 1
text=$(printf '%s' "$text" | tr '\n\t' '  ')

has() {
	printf '%s' "$text" | grep -qE "$1" && printf ' -D%s' "$2"
}

has 'struct fgraph_ops [{][^}]*struct ftrace_ops +ops' XFT_MANY_USERS
has 'trace_func_graph_ent_t[)] *[(][^)]*struct ftrace_regs' XFT_HANDLER_REGS
has 'struct ftrace_graph_ret [{][^}]*calltime' XFT_HAS_CALLTIME
has 'struct ftrace_graph_ret [{][^}]*rettime' XFT_HAS_RETTIME
has 'int ftrace_set_filter_ips *[(]' XFT_FILTER_IPS
has 'file_open_root *[(]const struct path' XFT_ROOT_IS_PATH
echo
