/* Makes calls on files fail as a bad, full or read-only disk would, for as long as a control file says so.

   LD_PRELOAD=fault.so FAULT_CONTROL=/elsewhere/control program

   The control file holds one fault a line, or none: CALLS PART ERROR HOW

     CALLS  sync (fsync, fdatasync), look (statvfs), write (writes and what makes a file longer), or change (write, and also: opening for
            writing, making, renaming and removing a name)
     PART   what the file's path has to contain
     ERROR  EIO, ENOSPC, EROFS, or KILL: the process is killed at that place
     HOW    before (nothing was done), after (all was done, and still it fails), half (a write takes half of its octets, down to none),
            short (a write takes half of its octets, one at least; nothing fails), hang (of sync and look: the call waits for as long as
            the file says so, and then does its work)

   To be replaced by rename, so that it is always whole. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NONE = 0, BEFORE, AFTER, HALF, SHORT, HANG };
#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int number(const char *name) {
    return !strcmp(name, "EIO") ? EIO : !strcmp(name, "ENOSPC") ? ENOSPC : !strcmp(name, "EROFS") ? EROFS : -1;
}

/* What is to happen to a call on `path`; the error in *code, -1 for KILL. */
static int fault(const char *calls, const char *path, int *code) {
    const char *control = getenv("FAULT_CONTROL");
    REAL(open);
    int kept = errno, how = NONE, fd = control ? real(control, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        char text[1024], *line, *rest = text;
        ssize_t length = read(fd, text, sizeof text - 1);
        close(fd);
        text[length > 0 ? length : 0] = 0;
        while (how == NONE && (line = strsep(&rest, "\n"))) {
            char which[32], part[256], error[32], when[32];
            if (sscanf(line, "%31s %255s %31s %31s", which, part, error, when) != 4) continue;
            if (strcmp(which, calls) && !(strcmp(which, "change") == 0 && strcmp(calls, "write") == 0)) continue;
            if (!strstr(path, part)) continue;
            *code = number(error);
            how = !strcmp(when, "after") ? AFTER : !strcmp(when, "half") ? HALF : !strcmp(when, "short") ? SHORT : !strcmp(when, "hang") ? HANG : BEFORE;
        }
    }
    errno = kept;
    return how;
}

static int fault_of(const char *calls, int fd, int *code) {
    struct stat status;
    int kept = errno, how = NONE;
    if (fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) {
        char link[64], path[4096];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        path[length > 0 ? length : 0] = 0;
        how = fault(calls, path, code);
    }
    errno = kept;
    return how;
}

static int fail(int code) {
    if (code < 0) kill(getpid(), SIGKILL);
    errno = code;
    return -1;
}

#define SYNC(call)                                                                                                     \
    int call(int fd) {                                                                                                 \
        REAL(call);                                                                                                    \
        int code, how;                                                                                                 \
        while ((how = fault_of("sync", fd, &code)) == HANG) usleep(20000);                                             \
        if (how == AFTER) real(fd);                                                                                    \
        return how == NONE || how == SHORT ? real(fd) : fail(code);                                                                    \
    }
SYNC(fsync)
SYNC(fdatasync)

#define LOOK(call, kind)                                                                                               \
    int call(const char *path, struct kind *status) {                                                                  \
        REAL(call);                                                                                                    \
        int code, how;                                                                                                 \
        while ((how = fault("look", path, &code)) == HANG) usleep(20000);                                              \
        return how == NONE ? real(path, status) : fail(code);                                                          \
    }
LOOK(statvfs, statvfs)
LOOK(statvfs64, statvfs64)

/* `half` and `whole` make the call for a part and for all. */
#define WRITE(half, whole, length)                                                                                     \
    int code, how = fault_of("write", fd, &code);                                                                      \
    if (how == NONE) return whole;                                                                                     \
    if (how == AFTER) (void)!(whole);                                                                                  \
    if (how == SHORT && (length) < 2) return whole;                                                                    \
    if ((how == HALF || how == SHORT) && (length) > 1) return half;                                                    \
    return fail(code);

ssize_t write(int fd, const void *data, size_t length) {
    REAL(write);
    WRITE(real(fd, data, length / 2), real(fd, data, length), length)
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    REAL(pwrite);
    WRITE(real(fd, data, length / 2, offset), real(fd, data, length, offset), length)
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    REAL(pwrite64);
    WRITE(real(fd, data, length / 2, offset), real(fd, data, length, offset), length)
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    WRITE(-1, real(fd, parts, count), 0)
}
int ftruncate(int fd, off_t size) {
    REAL(ftruncate);
    WRITE(-1, real(fd, size), 0)
}
int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    WRITE(-1, real(fd, size), 0)
}

#define OPEN(call)                                                                                                     \
    int call(const char *path, int flags, ...) {                                                                       \
        REAL(call);                                                                                                    \
        mode_t mode = 0;                                                                                               \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        if (flags & O_CREAT) mode = va_arg(list, mode_t);                                                              \
        va_end(list);                                                                                                  \
        int code, how = (flags & (O_WRONLY | O_RDWR | O_CREAT)) ? fault("change", path, &code) : NONE;                 \
        return how == NONE ? real(path, flags, mode) : fail(code);                                                     \
    }
OPEN(open)
OPEN(open64)

#define NAME(call)                                                                                                     \
    int call(const char *path) {                                                                                       \
        REAL(call);                                                                                                    \
        int code, how = fault("change", path, &code);                                                                  \
        return how == NONE ? real(path) : fail(code);                                                                  \
    }
NAME(unlink)
NAME(rmdir)

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    int code, how = fault("change", path, &code);
    return how == NONE ? real(path, mode) : fail(code);
}
int rename(const char *from, const char *to) {
    REAL(rename);
    int code, how = fault("change", to, &code);
    return how == NONE ? real(from, to) : fail(code);
}
