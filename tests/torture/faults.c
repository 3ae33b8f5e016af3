/* Loaded before libc: makes calls of the program on files of one folder fail, or be short.
 *
 * AIVM_FAULT is FAULT:NTH:HOW, with FAULT one of EIO, ENOSPC, EINTR, SHORT; NTH counts, from 1, the calls that the fault
 * suits, of all threads; HOW is `once`, `on` (that call and all after it), or `call` (it and all after it of its name).
 * AIVM_FAULT_UNDER is the folder, AIVM_FAULT_LOG a file that gets the name of each call that suits: of all with NTH 0, else of
 * the first that fails. None of the three, nor LD_PRELOAD, is left to what the program starts: only its own calls are meant.
 *
 * Interrupted at each try it would try without end; so with EINTR and `on` dice interrupt one call in four, the NTH first. A
 * close that fails has closed all the same, and what is short is half of it and at least a byte, as POSIX has it. */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* Faults, as a mask; and what a broken disk does not break: the kernel has its locks in memory. */
enum { OF_IO = 1, OF_SPACE = 2, OF_SIGNAL = 4, SHORT = 8, IN_MEMORY = 16 };
/* What suits whom: reading, writing, making names, and asking. Any can find a broken disk. */
enum {
    READS = OF_IO | OF_SIGNAL | SHORT,
    WRITES = OF_IO | OF_SPACE | OF_SIGNAL | SHORT,
    GROWS = OF_IO | OF_SPACE | OF_SIGNAL,
    OPENS = OF_IO | OF_SIGNAL,
    TAKES = OF_IO | OF_SIGNAL | IN_MEMORY,
    NAMES = OF_IO | OF_SPACE,
    ASKS = OF_IO,
};

static int fault, each_of_name;
static long nth;
static int on;
static char under[4096], file_of_log[4096];
static size_t under_length;
static pid_t own;
static atomic_long seen;
static _Atomic(const char *) name_that_fails;
static atomic_int said;
static __thread unsigned dice = 1;

__attribute__((constructor)) static void begin(void) {
    const char *wanted = getenv("AIVM_FAULT"), *folder = getenv("AIVM_FAULT_UNDER"), *log = getenv("AIVM_FAULT_LOG");
    char what[16] = "", how[16] = "";
    if (wanted && folder && log && sscanf(wanted, "%15[A-Z]:%ld:%15[a-z]", what, &nth, how) == 3) {
        fault = !strcmp(what, "EIO") ? OF_IO : !strcmp(what, "ENOSPC") ? OF_SPACE : !strcmp(what, "EINTR") ? OF_SIGNAL
              : !strcmp(what, "SHORT") ? SHORT : 0;
        on = strcmp(how, "once") != 0;
        each_of_name = !strcmp(how, "call");
        snprintf(under, sizeof under, "%s", folder);
        snprintf(file_of_log, sizeof file_of_log, "%s", log);
        under_length = strlen(under);
        own = getpid();
    }
    unsetenv("AIVM_FAULT");
    unsetenv("AIVM_FAULT_UNDER");
    unsetenv("AIVM_FAULT_LOG");
    unsetenv("LD_PRELOAD");
}

static void tell(const char *name, const char *path) {
    char line[4400];
    int length = snprintf(line, sizeof line, "%s %s\n", name, path);
    long file = syscall(SYS_openat, AT_FDCWD, file_of_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file >= 0) {
        syscall(SYS_write, file, line, (size_t)length);
        syscall(SYS_close, file);
    }
}

/* Does the call fail, of this name, with this path, which the faults of `suits` suit? */
static int fails(const char *name, const char *path, int suits) {
    if (!(suits & fault) || strncmp(path, under, under_length) || getpid() != own)
        return 0;
    long this = atomic_fetch_add(&seen, 1) + 1;
    if (nth == 0) {
        tell(name, path + under_length);
        return 0;
    }
    if (this < nth || (this > nth && !on))
        return 0;
    if (this == nth)
        atomic_store(&name_that_fails, name);
    const char *only = atomic_load(&name_that_fails);
    if (suits & IN_MEMORY && fault == OF_IO && this > nth && !each_of_name)
        return 0;
    if (each_of_name && (!only || strcmp(only, name)))
        return 0;
    if (fault == OF_SIGNAL && this > nth && ((dice = dice * 1664525u + 1013904223u) >> 30))
        return 0;
    if (!atomic_exchange(&said, 1))
        tell(name, path + under_length);
    return 1;
}

static int fails_at(const char *name, int dir, const char *path, int suits) {
    char whole[8192], start[4096] = "";
    if (!fault || !path)
        return 0;
    if (path[0] != '/') {
        char link[32];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        long length = dir == AT_FDCWD ? syscall(SYS_getcwd, start, sizeof start - 1)
                                      : syscall(SYS_readlinkat, AT_FDCWD, link, start, sizeof start - 1);
        if (length < 0)
            return 0;
        if (dir != AT_FDCWD)
            start[length] = 0;
    }
    snprintf(whole, sizeof whole, "%s%s%s", start, start[0] ? "/" : "", path);
    return fails(name, whole, suits);
}

static int fails_of(const char *name, int file, int suits) {
    char link[32], path[4096];
    /* What the program says of its errors is left alone: it is all that tells. */
    if (!fault || file < 0 || file == 2)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return fails(name, path, suits);
}

static int failed(void) {
    errno = fault == OF_SPACE ? ENOSPC : fault == OF_SIGNAL ? EINTR : EIO;
    return -1;
}

#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) \
        next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* Reads and writes: fail, or are short. */
#define MOVES(result, name, suits, declared, passed) \
    result name declared { \
        NEXT(name); \
        if (fails_of(#name, file, length > 1 ? suits : (suits) & ~SHORT)) { \
            if (fault != SHORT) \
                return failed(); \
            length = length / 2; \
        } \
        return next passed; \
    }
MOVES(ssize_t, read, READS, (int file, void *bytes, size_t length), (file, bytes, length))
MOVES(ssize_t, write, WRITES, (int file, const void *bytes, size_t length), (file, bytes, length))
MOVES(ssize_t, pread64, READS, (int file, void *bytes, size_t length, off64_t at), (file, bytes, length, at))
MOVES(ssize_t, pwrite64, WRITES, (int file, const void *bytes, size_t length, off64_t at), (file, bytes, length, at))

static ssize_t moves_parts(int short_now, ssize_t (*next)(int, const struct iovec *, int), int file, const struct iovec *parts,
                           int count) {
    struct iovec half = parts[0];
    if (!short_now)
        return next(file, parts, count);
    half.iov_len = half.iov_len > 1 ? half.iov_len / 2 : half.iov_len;
    return next(file, &half, 1);
}
ssize_t readv(int file, const struct iovec *parts, int count) {
    NEXT(readv);
    int now = fails_of("readv", file, count > 0 ? READS : READS & ~SHORT);
    return now && fault != SHORT ? failed() : moves_parts(now, next, file, parts, count);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    NEXT(writev);
    int now = fails_of("writev", file, count > 0 ? WRITES : WRITES & ~SHORT);
    return now && fault != SHORT ? failed() : moves_parts(now, next, file, parts, count);
}
ssize_t copy_file_range(int from, off64_t *at, int file, off64_t *to, size_t length, unsigned flags) {
    NEXT(copy_file_range);
    if (fails_of("copy_file_range", file, length > 1 ? WRITES : WRITES & ~SHORT)) {
        if (fault != SHORT)
            return failed();
        length = length / 2;
    }
    return next(from, at, file, to, length, flags);
}

/* What has a file, or a path, and fails or does not. */
#define OF_FILE(result, name, suits, declared, passed) \
    result name declared { \
        NEXT(name); \
        return fails_of(#name, file, suits) ? failed() : next passed; \
    }
#define OF_PATH(name, suits, at, path, declared, passed) \
    int name declared { \
        NEXT(name); \
        return fails_at(#name, at, path, suits) ? failed() : next passed; \
    }
OF_FILE(int, fsync, GROWS, (int file), (file))
OF_FILE(int, fdatasync, GROWS, (int file), (file))
OF_FILE(int, ftruncate64, GROWS, (int file, off64_t length), (file, length))
OF_FILE(int, fallocate64, GROWS, (int file, int mode, off64_t at, off64_t length), (file, mode, at, length))
OF_FILE(int, flock, TAKES, (int file, int how), (file, how))
OF_FILE(int, fstat64, ASKS, (int file, struct stat64 *stat), (file, stat))
OF_FILE(int, fchmod, ASKS, (int file, mode_t mode), (file, mode))
OF_PATH(rename, NAMES, AT_FDCWD, to, (const char *from, const char *to), (from, to))
OF_PATH(link, NAMES, AT_FDCWD, to, (const char *from, const char *to), (from, to))
OF_PATH(mkdir, NAMES, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
OF_PATH(rmdir, ASKS, AT_FDCWD, path, (const char *path), (path))
OF_PATH(unlink, ASKS, AT_FDCWD, path, (const char *path), (path))
OF_PATH(unlinkat, ASKS, dir, path, (int dir, const char *path, int flags), (dir, path, flags))
OF_PATH(access, ASKS, AT_FDCWD, path, (const char *path, int mode), (path, mode))
OF_PATH(stat64, ASKS, AT_FDCWD, path, (const char *path, struct stat64 *stat), (path, stat))
OF_PATH(lstat64, ASKS, AT_FDCWD, path, (const char *path, struct stat64 *stat), (path, stat))
int statx(int dir, const char *path, int flags, unsigned mask, struct statx *stat) {
    NEXT(statx);
    /* Whether the kernel has it is tried with no path, which the declaration rules out. */
    const char *volatile is_there = path;
    const char *named = is_there;
    int now = !named ? 0 : named[0] ? fails_at("statx", dir, named, ASKS) : fails_of("statx", dir, ASKS);
    return now ? failed() : next(dir, path, flags, mask, stat);
}

int close(int file) {
    NEXT(close);
    int now = fails_of("close", file, OPENS);
    int closed = next(file);
    return now ? failed() : closed;
}

static mode_t mode_of(int flags, va_list rest) {
    return (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
}
#define OPEN(name, at, declared, passed) \
    int name declared { \
        NEXT(name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = mode_of(flags, rest); \
        va_end(rest); \
        return fails_at(#name, at, path, flags & O_CREAT ? OPENS | OF_SPACE : OPENS) ? failed() : next passed; \
    }
OPEN(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat64, dir, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))

/* Only taking locks: the rest of what it does touches no disk. */
#define LOCKS(name) \
    int name(int file, int what, ...) { \
        NEXT(name); \
        va_list rest; \
        va_start(rest, what); \
        void *argument = va_arg(rest, void *); \
        va_end(rest); \
        int is_lock = what == F_SETLK || what == F_SETLKW || what == F_GETLK || what == F_OFD_SETLK || what == F_OFD_SETLKW; \
        if (is_lock && ((struct flock *)argument)->l_type == F_UNLCK) \
            is_lock = 0; \
        return is_lock && fails_of(#name, file, TAKES) ? failed() : next(file, what, argument); \
    }
LOCKS(fcntl)
LOCKS(fcntl64)

DIR *opendir(const char *path) {
    NEXT(opendir);
    if (fails_at("opendir", AT_FDCWD, path, OPENS)) {
        failed();
        return NULL;
    }
    return next(path);
}
struct dirent64 *readdir64(DIR *dir) {
    NEXT(readdir64);
    if (fails_of("readdir64", dirfd(dir), ASKS)) {
        failed();
        return NULL;
    }
    return next(dir);
}
