// SPDX-License-Identifier: GPL-2.0
/*
 * Reads and writes tracefs files for the host.
 *
 * The module has a mount of its own, which nobody in the guest can see or
 * cover. The files accept text from user space only (they have .write and no
 * .write_iter), so the thread uses the address space of the program that loaded
 * the module, which has ended by then, and maps a few pages in it.
 */
#include <linux/kernel.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/sched/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "module.h"

#define WINDOW_BYTES (64 * 1024)

static struct vfsmount *mount;
static struct mm_struct *borrowed;
static unsigned long window;

/* Called by the program that loads the module. */
int xft_tracefs_init(void)
{
	struct file_system_type *type = get_fs_type("tracefs");

	if (!type)
		return -ENODEV;
	mount = kern_mount(type);
	module_put(type->owner);
	if (IS_ERR(mount)) {
		int result = PTR_ERR(mount);

		mount = NULL;
		return result;
	}
	if (current->mm) {
		borrowed = current->mm;
		mmget(borrowed);
	}
	return 0;
}

/* Called by the thread when it starts and when it ends. */
void xft_tracefs_enter(void)
{
	unsigned long at;

	if (!borrowed)
		return;
	kthread_use_mm(borrowed);
	at = vm_mmap(NULL, 0, WINDOW_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(at))
		pr_warn("xftrace: no window for tracefs writes (%ld)\n",
			(long)at);
	else
		window = at;
}

void xft_tracefs_leave(void)
{
	if (!borrowed)
		return;
	if (window)
		vm_munmap(window, WINDOW_BYTES);
	window = 0;
	kthread_unuse_mm(borrowed);
}

void xft_tracefs_exit(void)
{
	if (borrowed)
		mmput(borrowed);
	if (mount)
		kern_unmount(mount);
	borrowed = NULL;
	mount = NULL;
}

/* Accepts only paths below tracefs: no "..", no absolute paths. */
static struct file *open_file(const char *path, int flags)
{
	struct path root;

	if (!mount || !window)
		return ERR_PTR(-EOPNOTSUPP);
	if (!*path || *path == '/' || !strcmp(path, "..") ||
	    !strncmp(path, "../", 3) || strstr(path, "/../"))
		return ERR_PTR(-EINVAL);
	flags |= O_LARGEFILE | O_NOFOLLOW;
	root.mnt = mount;
	root.dentry = mount->mnt_root;
#ifdef XFT_ROOT_IS_PATH
	return file_open_root(&root, path, flags, 0);
#else
	/* Before ffb37ca3bd16 (5.14). */
	return file_open_root(root.dentry, root.mnt, path, flags, 0);
#endif
}

ssize_t xft_tracefs_write(const char *path, const char *text, size_t size,
			  bool append)
{
	struct file *file;
	loff_t pos = 0;
	ssize_t result = 0;
	size_t done = 0;

	if (size > WINDOW_BYTES)
		return -E2BIG;
	file = open_file(path, O_WRONLY | (append ? O_APPEND : O_TRUNC));
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (copy_to_user((void __user *)window, text, size))
		result = -EFAULT;
	/* Some files (set_ftrace_filter) accept only one word at a time. */
	while (!result && done < size) {
		result = xft_vfs_write(file,
				       (const char __user *)window + done,
				       size - done, &pos);
		if (result <= 0)
			break;
		done += result;
		result = 0;
	}
	/*
	 * Some files (set_ftrace_filter) take effect only when they are closed.
	 */
	__fput_sync(file);
	return result < 0 ? result : done;
}

ssize_t xft_tracefs_read(const char *path, char *to, size_t size, loff_t from)
{
	struct file *file = open_file(path, O_RDONLY | O_NONBLOCK);
	loff_t pos = from;
	ssize_t result, done = 0;

	if (IS_ERR(file))
		return PTR_ERR(file);
	while (done < size) {
		size_t part = min_t(size_t, size - done, WINDOW_BYTES);

		result = xft_vfs_read(file, (char __user *)window, part, &pos);
		if (result <= 0)
			break;
		if (copy_from_user(to + done, (void __user *)window, result)) {
			result = -EFAULT;
			break;
		}
		done += result;
	}
	__fput_sync(file);
	return done ?: result;
}

/* Creates instances/NAME; an existing one is left as it is (-EEXIST). */
int xft_tracefs_make_instance(const char *name)
{
	struct trace_array *instance;

	if (!*name || strchr(name, '/') || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return -EINVAL;
	instance = xft_find_instance(name);
	if (instance) {
		xft_put_instance(instance);
		return -EEXIST;
	}
	instance = xft_get_instance(name);
	if (!instance)
		return -ENOMEM;
	xft_put_instance(instance);
	return 0;
}

/* Removes instances/NAME; the kernel refuses while it is in use. */
int xft_tracefs_remove_instance(const char *name)
{
	struct trace_array *instance = xft_find_instance(name);

	if (!instance)
		return -ENOENT;
	xft_put_instance(instance);
	/*
	 * It may have been removed meanwhile; this is safe, since the kernel
	 * searches its list for the address.
	 */
	return xft_destroy_instance(instance);
}
